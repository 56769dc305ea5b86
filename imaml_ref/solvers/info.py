"""What a solver says about each system: status, residual, curvature, and in words."""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from ..arguments import Brief


class Status(IntEnum):
    """How the solution of one task's system ended."""

    CONVERGED = 0
    """The residual passed the test, or vanished."""
    MAXITER = 1
    """All the steps asked for were made; with rtol = atol = 0 that is the method."""
    NEGATIVE_CURVATURE = 2
    """pᵀAp ≤ 0, and the solver was told to refuse."""
    TRUNCATED = 3
    """pᵀAp ≤ 0, and the solver was told to stop before that direction."""
    BREAKDOWN = 4
    """pᵀAp = 0: the next step has no length."""
    INDEFINITE_PRECONDITIONER = 5
    """rᵀMr ≤ 0: M is not positive definite."""
    STAGNATION = 6
    """The true residual stopped falling above the tolerance."""
    SINGULAR = 7
    """The matrix has an eigenvalue that is zero to rounding."""
    NOT_FINITE = 8
    """NaN or infinity in b, x₀ or a product."""


@dataclass(frozen=True, repr=False)
class SolverInfo(Brief):
    """What a solver found out, one entry per task; all arrays are (T,), on the host.

    Args:
        status: Codes of ``Status``.
        iterations: Steps that changed x.
        residual: ‖b − A x‖₂, in units of b; from its definition, or the recursion's.
        tolerance: What the residual was compared with, in units of b.
        smallest_ritz: Smallest Ritz value, in exact arithmetic an upper bound on the
            smallest eigenvalue (of which operator, the solver's docstring says); with
            rounding it may be lower by about ε ‖A‖; inf if none is known.
        smallest_rayleigh: Smallest pᵀAp / pᵀp over the directions, an upper bound on
            λ_min(A) under any preconditioner, likewise; inf if there was none.
        negative_curvature: Number of directions with pᵀAp ≤ 0.
        first_negative: The first pᵀAp ≤ 0; NaN if there was none.
        first_negative_step: The iteration that met it, counted from 1; 0 if none.
        num_products: Products with A.
        measured: Whether the residual is from its definition.  The recursion's goes on
            falling where rounding has long stopped the true one, near ε ‖A‖ ‖x‖.
    """

    status: np.ndarray
    iterations: np.ndarray
    residual: np.ndarray
    tolerance: np.ndarray
    smallest_ritz: np.ndarray
    smallest_rayleigh: np.ndarray
    negative_curvature: np.ndarray
    first_negative: np.ndarray
    first_negative_step: np.ndarray
    num_products: np.ndarray
    measured: np.ndarray

    @classmethod
    def concatenate(cls, infos: "list[SolverInfo]") -> "SolverInfo":
        """Join the infos of chunks of tasks, in the order given."""
        return cls(
            *(np.concatenate([getattr(i, f.name) for i in infos]) for f in fields(cls))
        )

    def message(self, task: int, *, lam: float | None = None) -> str:
        """Say in one line how the system of a task ended, why, and what helps.

        Args:
            task: Index of the task.
            lam: λ, if A is H + λI, in loss per squared parameter: the advice can then
                name the value to exceed.
        """
        return _TEXTS[Status(int(self.status[task]))](self, task, lam)


def _converged(info, task, lam):
    return f"task {task}: converged, {_progress(info, task)}"


def _maxiter(info, task, lam):
    if info.tolerance[task] == 0:
        return f"task {task}: all steps made, {_progress(info, task)}"
    return (
        f"task {task}: not converged, {_progress(info, task)}; raise maxiter or the "
        f"tolerance, precondition, or make A better conditioned with a larger lam"
    )


def _negative(info, task, lam):
    operator = "A" if lam is None else "H + λI"
    return (
        f"{operator} is not positive definite for task {task}: "
        f"pᵀAp = {info.first_negative[task]:.3g} in iteration "
        f"{info.first_negative_step[task]}; {_how_far(info, task, lam)}, or use "
        f"curvature='gauss-newton', on_negative_curvature='truncate', or MINRES"
    )


def _how_far(info, task, lam):
    """Name the least lam that the curvature seen leaves possible."""
    short = max(0.0, -float(info.smallest_rayleigh[task]))
    if lam is None:
        return f"raise lam by more than {short:.3g}"
    return f"raise lam above {lam + short:.3g}"


def _truncated(info, task, lam):
    return f"{_negative(info, task, lam)}; stopped before it, {_progress(info, task)}"


def _breakdown(info, task, lam):
    return f"{_negative(info, task, lam)}; CG cannot step along that direction"


def _indefinite_preconditioner(info, task, lam):
    return (
        f"task {task}: rᵀMr ≤ 0, {_progress(info, task)}; the preconditioner M must "
        f"be positive definite"
    )


def _stagnation(info, task, lam):
    return (
        f"task {task}: rounding stops the true residual above the tolerance, "
        f"{_progress(info, task)}; use float64, a looser tolerance, or a larger lam "
        f"(and CertifiedCG in place of MINRES where A is positive definite: its error "
        f"is like κ ε, not κ² ε)"
    )


def _singular(info, task, lam):
    return (
        f"task {task}: A is singular to rounding, {_progress(info, task)}; change lam"
    )


def _not_finite(info, task, lam):
    return (
        f"task {task}: NaN or infinity in b, x0 or a product after "
        f"{info.iterations[task]} iterations; lower the inner step size, or look for "
        f"the first NaN in the network"
    )


def _progress(info, task):
    kind = "residual" if info.measured[task] else "recursive residual"
    return (
        f"{info.iterations[task]} iterations, {kind} {info.residual[task]:.3g} "
        f"(tolerance {info.tolerance[task]:.3g})"
    )


_TEXTS = {
    Status.CONVERGED: _converged,
    Status.MAXITER: _maxiter,
    Status.NEGATIVE_CURVATURE: _negative,
    Status.TRUNCATED: _truncated,
    Status.BREAKDOWN: _breakdown,
    Status.INDEFINITE_PRECONDITIONER: _indefinite_preconditioner,
    Status.STAGNATION: _stagnation,
    Status.SINGULAR: _singular,
    Status.NOT_FINITE: _not_finite,
}
