"""Certified answers: each computed in two ways that share little, and compared.

    L1   naive forward pass and complex steps     our forward and backward sweep
    L2   naive values, Richardson's differences   complex steps of our gradient
    L3   rational arithmetic                      LU
    L4   H by complex steps, LU                   our products with H, certified CG
    L5   complex steps of θ ↦ Q(φ*(θ))            (5), our products, certified CG
    L6   outer steps with the gradients of L5, either way, by one optimiser; L7 too

The first way never uses our products with H; it is the answer, the other its witness.
For L5 the solution is made to follow θ into the complex plane: with J the Jacobian of
∇G at the real solution,

    φ ← φ − J⁻¹ ∇G(φ; θ + ihe_j),   from φ = φ*                                      (1)

converges to φ*(θ + ihe_j) to first order in h after one step, whatever rounding J has,
and Im Q(φ)/h is the derivative: neither (5) nor a product with H is in it.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy

from ..meta_gradients import TaskLoss
from .agreement import agreement, pieces, rows
from .case import Answer, Array, Case
from .computation import LOSSES, Computation, along_axes, copies
from .conditions import CONDITIONS
from .engine import Engine
from .levels import OUTER_STEPS
from .naive import Naive
from .systems import exact_solution

STATED = 10.0  # digits asked for in float64 where the condition allows
MARGIN = 2.0  # digits left to the order of summation and the like
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
STEP = 1e-30
ROUTES = {
    "L1": ("naive forward pass, longdouble, complex steps", "forward and vjp sweeps"),
    "L2": (
        "complex steps of the gradient; Jᵀ H_z J with J by complex steps",
        "naive forward pass, longdouble, Richardson's differences",
    ),
    "L3": ("rational arithmetic", "LU, float64"),
    "L4": ("H by complex steps of the gradient, LU", "hand-derived Hv, certified CG"),
    "L5": ("complex steps of θ ↦ Q(φ*(θ))", "(5) by hand-derived Hv, certified CG"),
    "L6": ("L5's first way, one optimiser", "L5's second way, the same optimiser"),
    "L7": ("L5's first way, ten times", "L5's second way, ten times"),
}


class Witness(Computation):
    """The reference computation with H by complex steps, and (5) by the whole map."""

    def curvature(self, case: Case, phi: Array) -> Array:
        """Return H (T, P, P)."""
        return along_axes(lambda c, p: self.at_support(c, p).grad, case, phi)

    def whole_map(self, case: Case) -> Array:
        """Return the derivative (P,) of θ ↦ mean Q(φ*(θ)), by (1)."""
        phi = self.solution(case)
        T, P = phi.shape
        J = self.operator(self.curvature(case, phi), self.lam(case))
        moved, many = case.theta + 1j * STEP * numpy.eye(P), copies(case, P)
        theta = numpy.tile(moved, (T, 1))
        phi = numpy.repeat(phi, P, 0).astype(complex)
        for _ in range(3):
            pull = self.lam(case) * (phi - theta)
            grad = self.at_support(many, phi).grad + pull
            step = numpy.linalg.solve(numpy.repeat(J, P, 0), grad[..., None])[..., 0]
            phi = phi - step
        loss = TaskLoss(self.network(case), self.criterion(case))
        Q = loss.value(phi, many.tasks.query_x, many.tasks.query_y)
        return (Q.imag / STEP).reshape(T, P).mean(0)

    def meta_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return the meta-gradient (P,)."""
        if phi is None:
            return self.whole_map(case)
        return super().meta_grad(case, phi)


def certified(case: Case, levels: tuple[str, ...]) -> Case:
    """Return a case with the answers of some levels, and the φ* of L4."""
    if "L4" in levels:
        solution = Witness().solution(case)
        case = replace(case, inputs={**case.inputs, "solution": solution})
    found = {}
    for level in levels:
        pairs, kappa = PAIRS[level](case), CONDITIONS[level](case)
        found[level] = {
            name: make_answer(case, level, want, witness, kappa)
            for name, (want, witness) in pairs.items()
        }
    return replace(case, answers=found)


def make_answer(case, level, want: Array, witness: Array, kappa: float) -> Answer:
    """Return an answer with the digits to which its witness agrees."""
    origin = case.theta if level in OUTER_STEPS else None
    reached = agreement(case, witness, want, origin).digits
    whole = want if origin is None else want - origin
    zero = has_zero(case, whole)
    required = {
        dtype: required_digits(max(kappa, u**-0.5) if zero else kappa, u)
        for dtype, u in ROUNDOFF.items()
    }
    return Answer(want, reached, ROUTES[level], kappa, required)


def required_digits(kappa: float, u: float) -> float:
    """Return min(stated, −log₁₀(κu) − 2), not below 0."""
    return max(0.0, min(STATED, -math.log10(kappa * u) - MARGIN))


def has_zero(case: Case, want: Array) -> bool:
    """Whether a tensor is zero but for rounding.

    Its digits are counted from √u ‖whole‖, so that rounding leaves half of them.
    """
    floor = ROUNDOFF["float64"] ** 0.5
    return any(
        numpy.linalg.norm(piece) < floor * numpy.linalg.norm(row)
        for _, row, _ in rows(case, want, want)
        for _, piece, _ in pieces(case, row, row)
    )


def at_phi(case: Case) -> Mapping[str, tuple[Array, Array]]:
    """Return loss and gradient of L1, each two ways."""
    ours = Engine()
    naive = [Naive(case, t) for t in range(case.num_tasks)]
    loss = numpy.array(
        [n.value(p[None])[0] for n, p in zip(naive, case.phi, strict=True)]
    )
    grad = numpy.stack([n.grad(p) for n, p in zip(naive, case.phi, strict=True)])
    return {
        "loss": (loss.astype(float), ours.loss(case)),
        "grad": (grad.astype(float), ours.grad(case)),
    }


def products(case: Case) -> Mapping[str, tuple[Array, Array]]:
    """Return the products of L2, each two ways."""
    triples = [(Naive(case, t), case.phi[t], case.v[t]) for t in range(case.num_tasks)]
    H = Witness().curvature(case, case.phi)
    hvp = (H @ case.v[..., None])[..., 0]
    naive_hvp = numpy.stack([n.hvp(p, v) for n, p, v in triples]).astype(float)
    naive_gnvp = numpy.stack([n.gnvp(p, v) for n, p, v in triples]).astype(float)
    return {"hvp": (hvp, naive_hvp), "gnvp": (gauss_newton(case), naive_gnvp)}


def gauss_newton(case: Case) -> Array:
    """Return Jᵀ H_z J v (T, P), J by complex steps of our forward sweep."""
    J = along_axes(
        lambda c, p: c.net.logits(p, c.tasks.support_x).reshape(len(p), -1),
        case,
        case.phi,
    )
    loss = LOSSES[case.loss]()
    z = case.net.logits(case.phi, case.tasks.support_x)
    _, saved = loss.forward(z, case.tasks.support_y)
    z_dot = (J @ case.v[..., None])[..., 0].reshape(z.shape)
    bent = loss.hvp(saved, z_dot).reshape(len(z), -1)
    return (J.swapaxes(1, 2) @ bent[..., None])[..., 0]


def linear_system(case: Case) -> Mapping[str, tuple[Array, Array]]:
    """Return the solution of L3, two ways."""
    exact = exact_solution(case.A, case.b)
    return {"x": (exact, numpy.linalg.solve(case.A, case.b))}


def at_solution(case: Case) -> Mapping[str, tuple[Array, Array]]:
    """Return the meta-gradient of L4, two ways."""
    phi = case.solution
    pair = (Witness().meta_grad(case, phi), Engine().meta_grad(case, phi))
    return {"meta_grad": pair}


def solved(case: Case) -> Mapping[str, tuple[Array, Array]]:
    """Return the meta-gradient of L5, two ways."""
    return {"meta_grad": (Witness().meta_grad(case), Engine().meta_grad(case))}


def stepped(subject, case: Case, count: int) -> Array:
    """Return θ (P,) after some outer steps."""
    theta, state = case.theta, None
    for _ in range(count):
        theta, state = subject.outer_step(case, theta, state)
    return theta


def outer(count: int):
    """Return a function that takes some outer steps, two ways."""

    def pairs(case: Case) -> Mapping[str, tuple[Array, Array]]:
        return {
            "theta": (stepped(Witness(), case, count), stepped(Engine(), case, count))
        }

    return pairs


PAIRS = {
    "L1": at_phi,
    "L2": products,
    "L3": linear_system,
    "L4": at_solution,
    "L5": solved,
    "L6": outer(OUTER_STEPS["L6"]),
    "L7": outer(OUTER_STEPS["L7"]),
}


def second_order_share(case: Case) -> float:
    """Return the distance of the first-order answer to the true one, relative to it."""
    first = Witness().outer_gradient(case, case.solution).mean(0)
    want = case.answers["L4"]["meta_grad"].want
    return float(numpy.linalg.norm(first - want) / numpy.linalg.norm(want))
