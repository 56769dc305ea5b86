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
    DIVERGED = 9
    """The residual of a series grew, and from then on always grows."""
    MISMATCH = 10
    """A is not the matrix that was factored: the true residual shows it."""


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
        least = max(0.0, -float(self.smallest_rayleigh[task]))
        raised = (
            f"by more than {least:.3g}" if lam is None else f"above {lam + least:.3g}"
        )
        kind = "residual" if self.measured[task] else "recursive residual"
        steps, tolerance = self.iterations[task], self.tolerance[task]
        status = Status(int(self.status[task]))
        asked = status != Status.MAXITER or tolerance != 0
        return (TEXTS[status] if asked else ALL_MADE).format(
            task=task,
            steps=steps,
            progress=f"{steps} iterations, {kind} {self.residual[task]:.3g} "
            f"(tolerance {tolerance:.3g})",
            negative=f"{'A' if lam is None else 'H + λI'} is not positive definite for "
            f"task {task}: pᵀAp = {self.first_negative[task]:.3g} in iteration "
            f"{self.first_negative_step[task]}; raise lam {raised}, or use "
            "curvature='gauss-newton', on_negative_curvature='truncate', or MINRES",
        )


ALL_MADE = "task {task}: all steps made, {progress}"
TEXTS = {
    Status.CONVERGED: "task {task}: converged, {progress}",
    Status.MAXITER: "task {task}: not converged, {progress}; raise maxiter or the "
    "tolerance, precondition, or make A better conditioned with a larger lam",
    Status.NEGATIVE_CURVATURE: "{negative}",
    Status.TRUNCATED: "{negative}; stopped before it, {progress}",
    Status.BREAKDOWN: "{negative}; CG cannot step along that direction",
    Status.INDEFINITE_PRECONDITIONER: "task {task}: rᵀMr ≤ 0, {progress}; the "
    "preconditioner M must be positive definite",
    Status.STAGNATION: "task {task}: rounding stops the true residual above the "
    "tolerance, {progress}; use float64, a looser tolerance, or a larger lam (and "
    "CertifiedCG in place of MINRES where A is positive definite: its error is like "
    "κ ε, not κ² ε)",
    Status.SINGULAR: "task {task}: A is singular to rounding, {progress}; change lam",
    Status.NOT_FINITE: "task {task}: NaN or infinity in b, x0 or a product after "
    "{steps} iterations; lower the inner step size, or look for the first NaN in the "
    "network",
    Status.DIVERGED: "task {task}: the series diverges, its residual grows after "
    "{progress}; it needs A positive definite and step_size < 2/λ_max",
    Status.MISMATCH: "task {task}: not solved, {progress}; A is not G + Λ with the G "
    "that was factored (use curvature='gauss-newton'), or rounding hides it (float64)",
}
