"""MINRES for A x = b, A symmetric and definite or not, one system per task."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..backend import Array, to_host
from ..settings import settle
from .diagnostics import first_negative, quotients, stacked
from .info import SolverInfo, Status
from .lanczos import pivots, smallest_of_tridiagonal
from .minres_recurrence import RUNNING, Record, State, advance, begin
from .options import check_count, check_tolerance
from .system import Matvec, System, make_system, norm, product


@dataclass(frozen=True)
class MINRES:
    """The minimal residual method: right for indefinite A, if it is not singular.

    ``residual`` is the true one, by one more product, and CONVERGED means that it
    passed; STAGNATION, that only the recursive one did.  ``smallest_ritz`` is the
    smallest eigenvalue of the Lanczos matrix (of A or of M^(1/2) A M^(1/2), as in
    ``cg_batched``), ``smallest_rayleigh`` the smallest vᵀAv/vᵀv over Lanczos vectors.
    ``negative_curvature`` counts the directions with pᵀAp ≤ 0 that CG would meet: the
    pivots δ = pᵀAp/rᵀMr ≤ 0 of the Lanczos matrix; ``first_negative`` is the first δ.

    Args:
        maxiter: Most steps; 5 P if None.
        rtol: Tolerance relative to ‖b‖₂, without unit.
        atol: Absolute tolerance, in units of b.

    Raises:
        ValueError: If an option is out of its range.
    """

    maxiter: int | None = None
    rtol: float = 1e-5
    atol: float = 0.0
    name: ClassVar[str] = "MINRES"

    def __post_init__(self):
        settle(self, maxiter=check_count, rtol=check_tolerance, atol=check_tolerance)

    def solve(
        self, matvec: Matvec, b: Array, M: Any = None
    ) -> tuple[Array, SolverInfo]:
        """Solve A x = b for every task.

        Args:
            matvec: v ↦ A v, (T, P) -> (T, P).
            b: Right-hand sides, (T, P).
            M: Preconditioner, as in ``cg_batched``, positive definite.
        """
        system = make_system(matvec, b, rtol=self.rtol, atol=self.atol, M=M)
        maxiter = 5 * b.shape[1] if self.maxiter is None else self.maxiter
        return minres_batched(system, maxiter)


def minres_batched(system: System, maxiter: int) -> tuple[Array, SolverInfo]:
    """Run the recurrence from x₀ = 0 until every task has ended, or maxiter steps."""
    state = begin(system)
    records: list[Record] = []
    for _ in range(maxiter):
        if not (state.status == RUNNING).any():
            break
        state, record = advance(system, state)
        records.append(record)
    return state.x, certify(system, state, records)


def certify(system: System, state: State, records: list[Record]) -> SolverInfo:
    """Compute the true residual, and say what it and the records show."""
    true = to_host(norm(system.b - product(system.matvec, state.x)))
    tolerance, status = to_host(system.tolerance), to_host(state.status)
    refuted = (status == int(Status.CONVERGED)) & ~(true <= tolerance)
    passed = (status == RUNNING) & (true <= tolerance)
    status = np.where(refuted, int(Status.STAGNATION), status)
    active, alpha, squared_v, beta = stacked(Record, records, len(system.b))
    seen = active.astype(bool) & np.isfinite(alpha)
    delta = pivots(alpha, beta)
    negative = seen & (delta <= 0)
    step, value = first_negative(delta, negative)
    ritz = [
        smallest_of_tridiagonal(a[k], o[k][:-1])
        for a, o, k in zip(alpha.T, beta.T, seen.T, strict=True)
    ]
    scale = 1.0 if system.scale is None else system.scale
    return SolverInfo(
        status=np.where(passed, int(Status.CONVERGED), status),
        iterations=to_host(state.iterations),
        residual=true,
        tolerance=tolerance,
        smallest_ritz=np.array(ritz) / scale,
        smallest_rayleigh=quotients(alpha, squared_v, seen),
        negative_curvature=negative.sum(0),
        first_negative=value,
        first_negative_step=step,
        num_products=active.sum(0).astype(int) + 1,
    )
