"""What imaml_ref itself computes, as an object that the suite can judge."""

from dataclasses import dataclass, field
from typing import Any

import numpy

from ..compute import to_device, to_host
from ..data import TaskBatch
from ..inner import GradientDescent, NewtonCG
from ..meta_gradients import (
    MetaGradient,
    TaskLoss,
    implicit_gradient,
    implicit_gradient_at,
    unrolled_gradient,
)
from ..solvers import CertifiedCG, Status
from .case import Array, Case
from .computation import LOSSES, STATIONARY, Computation, Refused

STOP = 16.0  # ‖∇G‖ at which the inner loop ends, in roundoffs of ‖∇L(θ)‖ ≤ 1


@dataclass(frozen=True)
class Engine:
    """The package's own layers, inner solver and conjugate gradients.

    The dtype is that of the case.

    Args:
        device: "cpu" or "cuda".
        newton_steps: Steps of the inner loop, at most.
    """

    device: str = "cpu"
    newton_steps: int = 20
    last: list = field(default_factory=list, init=False, repr=False, compare=False)

    def put(self, a: Any) -> Any:
        """Return an array where the engine computes; numbers stay as they are."""
        return to_device(a) if self.device == "cuda" and hasattr(a, "dtype") else a

    def task_loss(self, case: Case) -> TaskLoss:
        """Return the loss of a task."""
        return TaskLoss(case.net, LOSSES[case.loss]())

    def at_phi(self, case: Case):
        """Return the linearisation of L at the φ of the case."""
        tasks = case.tasks.map(self.put)
        return self.task_loss(case).linearize(
            self.put(case.phi), tasks.support_x, tasks.support_y
        )

    def loss(self, case: Case) -> Array:
        """Return L (T,)."""
        return to_host(self.at_phi(case).value)

    def grad(self, case: Case) -> Array:
        """Return ∇L (T, P)."""
        return to_host(self.at_phi(case).grad)

    def hvp(self, case: Case) -> Array:
        """Return H v (T, P)."""
        return to_host(self.at_phi(case).hvp(self.put(case.v)))

    def gnvp(self, case: Case) -> Array:
        """Return G v (T, P)."""
        return to_host(self.at_phi(case).gnvp(self.put(case.v)))

    def solve(self, A: Array, b: Array) -> Array:
        """Return x with A x = b, by conjugate gradients.

        Raises:
            Refused: If A is seen not to be positive definite.
        """
        A = self.put(A)
        x, info = solver_for(b).solve(lambda p: p @ A.T, self.put(b[None]))
        if info.status[0] == Status.NEGATIVE_CURVATURE:
            raise Refused(info.message(0))
        return to_host(x)[0]

    def tasks(self, case: Case) -> list[TaskBatch]:
        """Return the tasks, a batch for each group."""
        return [group.tasks.map(self.put) for group in case.groups]

    def implicit(self, case: Case, phi: Array | None = None) -> MetaGradient:
        """Return (5) and (7) at a φ (T, P) or at the solution of (1).

        The last one is kept: a level asks for several parts of it.

        Raises:
            Refused: If φ is not stationary, or H + Λ not positive definite.
        """
        if not (self.last and self.last[0] is case and self.last[1] is phi):
            self.last[:] = case, phi, self.solved(case, phi)
        return self.last[2]

    def solved(self, case: Case, phi: Array | None) -> MetaGradient:
        """Return (5) and (7), computed anew.

        Raises:
            Refused: If φ is not stationary, or H + Λ not positive definite.
        """
        settings = {"lam": self.put(case.lam), "solver": solver_for(case.theta)}
        loss, tasks = self.task_loss(case), self.tasks(case)
        theta = self.put(case.theta)
        if phi is None:
            tol = STOP * float(numpy.finfo(theta.dtype).eps) * self.slope(case)
            inner = NewtonCG(self.newton_steps, cg_steps=len(theta), tol=tol)
            settings |= {"inner": inner, "keep": "phi"}
            return implicit_gradient(loss, theta, tasks, **settings)
        out = implicit_gradient_at(loss, theta, self.put(phi), tasks, **settings)
        pull = numpy.linalg.norm(to_host(case.lam * (phi - case.theta)), axis=1)
        share = (out.diagnostics.inner_residual / pull).max()
        if not share < STATIONARY:
            raise Refused(f"φ is not stationary: ‖∇G‖ is {share:.2g} of ‖Λ(φ − θ)‖")
        return out

    def slope(self, case: Case) -> float:
        """Return the least ‖∇L‖ of a task at θ, at most 1: the unit of ``STOP``."""
        found = [1.0]
        for group in case.groups:
            x, y = map(self.put, (group.tasks.support_x, group.tasks.support_y))
            phi = self.put(numpy.repeat(case.theta[None], len(x), 0))
            grad = to_host(self.task_loss(case).linearize(phi, x, y).grad)
            found += numpy.linalg.norm(grad, axis=1).tolist()
        return min(found)

    def meta_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return (5), (P,), at a φ (T, P) or at the solution of (1).

        Raises:
            Refused: If φ is not stationary, or H + Λ not positive definite.
        """
        return to_host(self.implicit(case, phi).grad)

    def lam_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return (7), () or (P,), at a φ (T, P) or at the solution of (1).

        Raises:
            Refused: If φ is not stationary, or H + Λ not positive definite.
        """
        found = self.implicit(case, phi).lam_grad
        found = found if isinstance(found, float) else to_host(found)
        return numpy.asarray(found, case.theta.dtype)

    def inner(self, case: Case) -> Array:
        """Return the solution of (1), (T, P)."""
        return to_host(self.implicit(case).phi)

    def unrolled_grad(self, case: Case) -> Array:
        """Return the gradient (P,) of mean_t Q_t(φ_K(θ))."""
        inner = GradientDescent(case.unrolled["step_size"], case.unrolled["steps"])
        loss, theta = self.task_loss(case), self.put(case.theta)
        tasks = self.tasks(case)
        return to_host(
            unrolled_gradient(loss, theta, tasks, lam=None, inner=inner).grad
        )

    def outer_step(self, case: Case, theta: Array, state: Any) -> tuple[Array, Any]:
        """Return the next θ (P,) and the state of the optimiser."""
        optimizer = Computation().optimizer(case)
        state = optimizer.init(theta) if state is None else state
        return optimizer.step(theta, self.meta_grad(case.at(theta)), state)


def solver_for(b: Array) -> CertifiedCG:
    """Return conjugate gradients as exact as the dtype of b allows."""
    rtol = 8 * float(numpy.finfo(b.dtype).eps)
    return CertifiedCG(rtol=rtol, refresh=1000, on_negative_curvature="refuse")
