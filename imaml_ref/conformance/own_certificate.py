"""Reference values on a user's own problem, by two routes, and the digits they share.

φ*       Newton-CG with hand-derived products     L-BFGS, which has none, polished by
                                                  ∇G alone: where it ends; and ‖∇G‖/μ
(5)      CG with hand-derived products            ‖v − (H + Λ) x‖ with H x by a complex
                                                  step of ∇L; P ≤ 400: H so, and LU
at φ*    and, along a direction d, Im Q(φ*(θ + ihd))/h, where neither (5) nor a
         product has a say (``certify``, (1))
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy

from ..checks import complex_step
from ..data import TaskBatch
from ..inner import LBFGS, InnerDivergence, NewtonCG
from ..meta_gradients import ProximalObjective
from ..solvers import CertifiedCG, Status
from .case import Array
from .computation import Refused
from .families.krylov import Reduced, reduced

DENSE = 400  # parameters up to which matrices are made
LEAST = 4.0  # digits below which there is no certificate
SAME = 1e-4  # relative distance at which L-BFGS ended at the same solution
STEP = 1e-30
STEPS = 1000  # of CG
STOP = 2e-14  # ‖∇G‖ at which Newton-CG ends, over 1 + ‖∇L(θ)‖
DEEPEST = 60  # products with H for each vector of a Krylov space
EPS = float(numpy.finfo(float).eps)


@dataclass(frozen=True)
class Point:
    """(5) at a φ, certified.

    Args:
        phi: φ, (T, P).
        lin: L, linearised at φ.
        v: ∇Q, (T, P).
        x: x of (5), (T, P).
        mu: The smallest Ritz value of H + Λ, of all tasks; P ≤ 400: eigenvalue.
        top: The largest, likewise.
        steps: Steps of CG.
        digits: To which g is certified at this φ.
        stationarity: ‖∇G‖ over the norms of its two parts, of the worst task.
    """

    phi: Array
    lin: Any
    v: Array
    x: Array
    mu: float
    top: float
    steps: int
    digits: float
    stationarity: float


@dataclass(frozen=True)
class OwnProblem:
    """L and Q of a user's tasks, in float64.

    Args:
        loss: Has ``linearize(phi, x, y)`` with ``.value .grad .hvp``.
        theta: θ, (P,).
        tasks: The tasks.
        lam: λ, a number or (P,).
        kept: What was asked before.
    """

    loss: Any
    theta: Array
    tasks: TaskBatch
    lam: Any
    kept: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, key: Any, compute: Any) -> Any:
        """Return what was computed, or refused, under a key, now or before."""
        if key not in self.kept:
            try:
                self.kept[key] = compute()
            except Refused as refused:
                self.kept[key] = refused
        if isinstance(self.kept[key], Refused):
            raise self.kept[key]
        return self.kept[key]

    def reduced(self, at: "Point") -> Reduced:
        """Return (5) at a point in a basis of Krylov spaces; for one λ."""
        theta = numpy.repeat(self.theta[None], len(at.phi), 0)
        start = self.support(theta), self.query(theta).grad
        depth = min(DEEPEST, at.steps + 2)
        return self.once(
            ("reduced", at.phi.tobytes()),
            lambda: reduced(at, start, self.theta, float(self.lam), depth),
        )

    @cached_property
    def objective(self) -> ProximalObjective:
        """G of (1)."""
        sets = self.tasks.support_x, self.tasks.support_y
        return ProximalObjective(self.loss, self.theta, *sets, self.lam)

    def support(self, phi: Array) -> Any:
        """Return L at φ (T, P)."""
        return self.loss.linearize(phi, self.tasks.support_x, self.tasks.support_y)

    def query(self, phi: Array) -> Any:
        """Return Q at φ (T, P)."""
        return self.loss.linearize(phi, self.tasks.query_x, self.tasks.query_y)

    def exact_product(self, phi: Array, p: Array) -> Array:
        """Return H p (T, P) by a complex step of ∇L, without a product of ours."""
        return complex_step(lambda q: self.support(q).grad, phi, p)

    def solve(self, at: Any, b: Array) -> tuple[Array, Any]:
        """Return A⁻¹ b (T, P) by CG, A = H + Λ, and what it says.

        Args:
            at: L, linearised at φ.
            b: (T, P).

        Raises:
            Refused: If A is seen not to be positive definite.
        """
        cg = CertifiedCG(rtol=8 * EPS, maxiter=STEPS, on_negative_curvature="refuse")
        x, info = cg.solve(lambda p: at.hvp(p) + self.lam * p, b)
        bad = numpy.flatnonzero(info.status == Status.NEGATIVE_CURVATURE)
        if bad.size:
            raise Refused(
                f"H + Λ is not positive definite for task {bad[0]}: φ is no minimum of "
                "(1), and (5) no meta-gradient; raise λ, or start elsewhere"
            )
        return x, info

    def solution(self, start: Array | None = None) -> tuple[Array, float]:
        """Return φ* (T, P) and the digits in which the routes agree.

        Args:
            start: Where both begin, (T, P); θ by default.

        Raises:
            Refused: If there are fewer than four, or an inner loop runs away.
        """
        steps = min(len(self.theta), 100 if len(self.theta) <= DENSE else 30)
        first = numpy.repeat(self.theta[None], len(self.tasks), 0)
        size = float(numpy.linalg.norm(self.support(first).grad, axis=1).max())
        newton = NewtonCG(40, cg_steps=steps, tol=STOP * (1 + size))
        try:
            phi = newton.solve(self.objective, self.theta, start)
            other = LBFGS(300, tol=1e-7).solve(self.objective, self.theta, start)
        except InnerDivergence as error:
            raise Refused(f"(1) was not solved: {error}") from error
        moved = numpy.linalg.norm(phi - self.theta, axis=1)
        apart = numpy.linalg.norm(phi - other, axis=1)
        if (apart > SAME * moved + 1e-7).any():
            task = int((apart / moved).argmax())
            raise Refused(
                f"(1) has no one solution that both Newton-CG and L-BFGS find for task "
                f"{task}: theirs are {apart[task]:.1e} apart, ‖φ − θ‖ is "
                f"{moved[task]:.1e}; is L smooth, and λ large enough?"
            )
        at = self.support(phi)
        _, info = self.solve(at, phi - self.theta + EPS)
        left = numpy.linalg.norm(at.grad + self.lam * (phi - self.theta), axis=1)
        mu = numpy.maximum(info.smallest_ritz, EPS)
        share = left / mu / numpy.linalg.norm(phi, axis=1)
        return phi, enough("φ*", digits_of(share), "kinks, or a λ that is too small")

    def at(self, phi: Array) -> Point:
        """Return (5) at a φ (T, P), certified there.

        Raises:
            Refused: If H + Λ is not positive definite, or the routes agree in less
                than four digits.
        """
        support, v = self.support(phi), self.query(phi).grad
        x, info = self.solve(support, v)
        mu, top = float(info.smallest_ritz.min()), float("nan")
        left = v - self.exact_product(phi, x) - self.lam * x
        if len(self.theta) <= DENSE:
            A = self.matrix(phi)
            w = numpy.linalg.eigvalsh((A + A.swapaxes(1, 2)) / 2)
            mu, top = float(w.min()), float(w.max())
            if not mu > 0:
                raise Refused(
                    f"H + Λ has the eigenvalue {mu:.2g}: φ is no minimum of (1), and "
                    "(5) no meta-gradient; raise λ, or start elsewhere"
                )
            left = mu * (x - numpy.linalg.solve(A, v[..., None])[..., 0])
        size = numpy.linalg.norm(x, axis=1)
        digits = digits_of(numpy.linalg.norm(left, axis=1) / max(mu, EPS) / size)
        pull, s = self.lam * (phi - self.theta), support.grad
        parts = numpy.linalg.norm(s, axis=1) + numpy.linalg.norm(pull, axis=1)
        still = numpy.linalg.norm(s + pull, axis=1) / parts
        digits = enough("the meta-gradient", digits, "H + Λ is nearly singular")
        steps, still = int(info.iterations.max()), float(still.max())
        return Point(phi, support, v, x, mu, top, steps, digits, still)

    def matrix(self, phi: Array) -> Array:
        """Return H + Λ (T, P, P), column by column by complex steps."""
        eye = numpy.eye(len(self.theta))
        rows = [self.exact_product(phi, numpy.tile(e, (len(phi), 1))) for e in eye]
        return numpy.stack(rows, -1) + numpy.diag(self.lam * numpy.ones(len(eye)))

    def slope(self, phi: Array, theta_dot: Any = 0.0, lam_dot: Any = 0.0) -> float:
        """Return the derivative of F along θ̇ (P,) and λ̇, by ``certify``'s (1).

        Args:
            phi: φ*, (T, P).
            theta_dot: θ̇.
            lam_dot: λ̇, of the shape of λ.
        """
        at = self.support(phi)
        theta, lam = (
            a + 1j * STEP * b for a, b in ((self.theta, theta_dot), (self.lam, lam_dot))
        )
        p = phi.astype(complex)
        for _ in range(2):
            rest = (self.support(p).grad + lam * (p - theta)).imag / STEP
            if not rest.any():
                break
            p = p - 1j * STEP * self.solve(at, rest)[0]
        return float(self.query(p).value.imag.mean() / STEP)


def digits_of(share: Array) -> float:
    """Return the digits that a relative difference leaves, of the worst task."""
    worst = float(numpy.max(share))
    return min(16.0, -math.log10(worst)) if worst > 0 else 16.0


def enough(what: str, digits: float, cause: str = "kinks") -> float:
    """Return digits, if they are a certificate.

    Raises:
        Refused: If they are fewer than four.
    """
    if not digits >= LEAST:
        raise Refused(
            f"{what} has no certificate: the two routes agree in {digits:.1f} digits, "
            f"{LEAST:.0f} are needed; the cause may be {cause}"
        )
    return digits
