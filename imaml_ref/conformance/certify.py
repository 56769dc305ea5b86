"""Certified answers: each computed in two ways that share little, and compared.

    L1   naive forward pass and complex steps     our forward and backward sweep
    L2   naive values, Richardson's differences   complex steps of our gradient
    L3   rational arithmetic                      LU
    L4   H by complex steps, LU                   our products with H, certified CG
    L5   complex steps of θ ↦ Q(φ*(θ))            (5), our products, certified CG
         φ*: Newton, Jacobian by complex steps    Newton, our products, CG
    L6   outer steps with the gradients of L5, either way, by one optimiser; L7 too
    U    complex steps of θ ↦ Q(φ_K(θ))           the adjoint recursion, our products

dF/dλ is at L4 and L5 that of complex steps of λ ↦ Q(φ*(λ)), entry by entry, and (7) with
our products.  The first way never uses our products with H; it is the answer, the other
its witness.  For L5 the solution is made to follow θ into the complex plane: with J the
Jacobian of ∇G at the real solution,

    φ ← φ − J⁻¹ ∇G(φ; θ + ihe_j),   from φ = φ*                                      (1)

(for dF/dλ, λ + ihe_j) converges to φ*(θ + ihe_j) to first order in h after one step,
whatever rounding J has, and Im Q(φ)/h is the derivative: neither (5) nor a product with
H is in it.
"""

import math
from dataclasses import replace
from typing import Any

import numpy

from ..meta_gradients import TaskLoss
from .agreement import agreement, moved, pieces, rows
from .asking import questions
from .axes import along_axes, copies, times
from .case import Answer, Array, Case
from .computation import Computation
from .conditions import CONDITIONS, cancelled
from .conventions import with_conventions
from .engine import Engine
from .naive import ByLoops
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
    "lam_grad": (
        "complex steps of λ ↦ Q(φ*(λ))",
        "(7) by hand-derived Hv, certified CG",
    ),
    "inner": ("Newton's method, H by complex steps", "Newton-CG, hand-derived Hv"),
    "U": ("complex steps of θ ↦ Q(φ_K(θ))", "adjoint recursion, hand-derived Hv"),
    "L6": ("L5's first way, one optimiser", "L5's second way, the same optimiser"),
    "L7": ("L5's first way, ten times", "L5's second way, ten times"),
}


class Witness(Computation):
    """The first way: H by complex steps, no rounding in L3, (5) by the whole map."""

    def curvature(self, case: Case, phi: Array) -> Array:
        """Return H (T, P, P)."""
        return along_axes(lambda c, p: self.at_support(c, p).grad, case, phi)

    def hvp(self, case: Case) -> Array:
        """Return H v (T, P), by the whole matrix."""
        return times(self.curvature(case, case.phi), case.v)

    def gnvp(self, case: Case) -> Array:
        """Return Jᵀ H_z J v (T, P), J by complex steps of our forward sweep."""
        phi, (x, y) = case.phi, (case.tasks.support_x, case.tasks.support_y)
        J = along_axes(
            lambda c, p: c.net.logits(p, c.tasks.support_x).reshape(len(p), -1),
            case,
            phi,
        )
        loss, z = self.criterion(case), case.net.logits(phi, x)
        _, saved = loss.forward(z, y)
        z_dot = times(J, case.v).reshape(z.shape)
        return times(J.swapaxes(1, 2), loss.hvp(saved, z_dot).reshape(len(z), -1))

    def solve(self, A: Array, b: Array) -> Array:
        """Return x with A x = b, in rational arithmetic."""
        return exact_solution(A, b)

    def group_grads(self, case: Case, phi: Array | None) -> Array:
        """Return g_t (T, P) of a group."""
        if phi is not None:
            return super().group_grads(case, phi)
        axes = 1j * STEP * numpy.eye(len(case.theta))
        return self.whole_map(case, self.solution(case), case.theta + axes, case.lam)

    def group_lam_grads(self, case: Case, phi: Array | None) -> Array:
        """Return dQ_t/dλ of a group, (T,) or (T, P)."""
        phi, lam = self.found(case, phi), case.inputs["lam"]
        axes = 1j * STEP * numpy.eye(max(lam.size, 1))
        found = self.whole_map(case, phi, case.theta[None], lam + axes)
        return found if lam.ndim else found[:, 0]

    def whole_map(self, case: Case, phi: Array, theta: Array, lam: Any) -> Array:
        """Return the slopes (T, K) of Q(φ*), by (1) from φ* (T, P).

        Args:
            case: A case of one group.
            phi: φ*.
            theta: θ moved along K directions into the complex plane, (K, P); or (1, P).
            lam: λ likewise, (K, 1) or (K, P); or λ itself.
        """
        K, T = max(len(theta), len(lam) if numpy.ndim(lam) == 2 else 1), len(phi)
        J = self.operator(self.curvature(case, phi), self.lam(case))
        many, J = copies(case, K), numpy.repeat(J, K, 0)
        theta, lam = (
            numpy.tile(numpy.broadcast_to(a, (K, phi.shape[1])), (T, 1))
            for a in (theta, lam)
        )
        phi = numpy.repeat(phi, K, 0).astype(complex)
        for _ in range(3):
            grad = self.at_support(many, phi).grad + lam * (phi - theta)
            phi = phi - numpy.linalg.solve(J, grad[..., None])[..., 0]
        return self.slopes(many, phi).reshape(T, K)

    def slopes(self, many: Case, phi: Array) -> Array:
        """Return Im Q(φ)/h, one for each task."""
        loss = TaskLoss(self.network(many), self.criterion(many))
        Q = loss.value(phi, many.tasks.query_x, many.tasks.query_y)
        return Q.imag / STEP

    def unrolled_task_grads(self, case: Case, phi: Array | None = None) -> Array:
        """Return dQ_t(φ_K)/dθ (T, P), by complex steps through all K steps."""
        P, T, many = len(case.theta), case.num_tasks, copies(case, len(case.theta))
        at = numpy.tile(case.theta + 1j * STEP * numpy.eye(P), (T, 1))
        for _ in range(case.unrolled["steps"]):
            at = at - case.unrolled["step_size"] * self.at_support(many, at).grad
        return self.slopes(many, at).reshape(T, P)


# Who gives the answer, and who witnesses it.
SUBJECTS: dict[str, tuple[type, type]] = {
    "L1": (ByLoops, Engine),
    "L2": (Witness, ByLoops),
    "L3": (Witness, Computation),
    **dict.fromkeys(("L4", "L5", "L6", "L7", "U"), (Witness, Engine)),
}


def certified(case: Case, levels: tuple[str, ...]) -> Case:
    """Return a case with the answers of some levels, and the φ* of L4."""
    if "L4" in levels:
        solution = Witness().inner(case)
        case = replace(case, inputs={**case.inputs, "solution": solution})
    found = {}
    for level in levels:
        first, second = (questions(kind(), case, level) for kind in SUBJECTS[level])
        kappa = CONDITIONS[level](case)
        found[level] = {
            name: make_answer(case, level, name, answer(), second[name](), kappa)
            for name, answer in first.items()
        }
    return replace(case, answers=found)


def make_answer(case, level, name, want, witness, kappa: float) -> Answer:
    """Return an answer with the digits to which its witness agrees."""
    want = numpy.asarray(want)
    reached = agreement(case, level, numpy.asarray(witness), want).digits
    if name == "lam_grad":
        kappa *= cancelled(case)
    zero = has_zero(case, moved(case, level, want))
    required = {
        dtype: required_digits(max(kappa, u**-0.5) if zero else kappa, u)
        for dtype, u in ROUNDOFF.items()
    }
    answer = Answer(want, reached, ROUTES.get(name, ROUTES[level]), kappa, required)
    return with_conventions(case, level, name, answer) if case.network else answer


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


def second_order_share(case: Case) -> float:
    """Return the distance of the first-order answer to the true one, relative to it."""
    ours = Witness()
    first = ours.by_group(ours.outer_gradient, case, case.solution).mean(0)
    want = case.answers["L4"]["meta_grad"].want
    return float(numpy.linalg.norm(first - want) / numpy.linalg.norm(want))
