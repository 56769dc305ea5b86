"""MINRES for A x = b, A symmetric and definite or not, one system per task."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arguments import Settings, setting
from ..compute import Array, array_module, dot, in_units, norm, power_of_two, read
from .certified import DRIFT
from .diagnostics import first_negative, in_units_of_A, quotients, stacked
from .info import SolverInfo, Status
from .lanczos import pivots, smallest_of_tridiagonal
from .minres_recurrence import RUNNING, Record, State, advance, begin
from .system import (
    STEPS,
    TOLERANCE,
    Matvec,
    System,
    column,
    make_system,
    product,
    solution,
)


@dataclass(frozen=True)
class MINRES(Settings):
    """The minimal residual method: right for indefinite A, if it is not singular.

    The residual is the least that the Krylov space has, and of an A that is singular to
    rounding, SINGULAR, the least there is, both to about ε^(1/2) ‖b‖ + ε ‖A‖ ‖x‖ where
    no eigenvalue of A but 0 is below ε^(1/2) ‖A‖; x then has a part that A does not
    see.  The error of x is like κ² ε where that of CG is like κ ε: in float32 no digit
    is left at κ = 3e3, and for a positive definite A that is badly conditioned
    ``CertifiedCG`` is better.  Beyond that κ the true residual leaves the recursive
    one; then x is the best of those after 0, 1, 2, 4, 8, … steps and the last, and no
    residual is above (1 + ε^(1/2)) ‖b‖.

    ``residual`` is the true one, by one more product, and CONVERGED means that it
    passed; STAGNATION, that the recursive one has lost it.  ``smallest_ritz`` is the
    smallest eigenvalue of the Lanczos matrix (of A or of M^(1/2) A M^(1/2), as in
    ``cg_batched``), ``smallest_rayleigh`` the smallest vᵀAv/vᵀv over Lanczos vectors.
    ``negative_curvature`` counts the directions with pᵀAp ≤ 0 that CG would meet: the
    pivots δ = pᵀAp/rᵀMr ≤ 0 of the Lanczos matrix; ``first_negative`` is the first δ.

    Args:
        maxiter: Most steps; 5 P if None.
        rtol: Tolerance relative to ‖b‖₂ as in CG, without unit (that of SciPy's minres
            is relative to ‖A‖ ‖x‖, and weaker).
        atol: Absolute tolerance, in units of b.

    Raises:
        ValueError: If an option is out of its range.
    """

    maxiter: int | None = setting(STEPS, None)
    rtol: float = setting(TOLERANCE, 1e-5)
    atol: float = setting(TOLERANCE, 0.0)
    name: ClassVar[str] = "MINRES"

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
        state = begin(system)
        records: list[Record] = []
        earlier = [state.x]
        for step in range(1, maxiter + 1):
            if not (state.status == RUNNING).any():
                break
            state, record = advance(system, state)
            records.append(record)
            if step & (step - 1) == 0:
                earlier.append(state.x)
        return certify(system, state, records, earlier)


def best_of(system: System, state: State, r: Array, earlier: list[Array]):
    """Return x and looks of a state, and ‖b − A x‖: those of the best x if (8) is lost.

    Args:
        system: The system.
        state: Where the iteration ended.
        r: b − A x there.
        earlier: The x of some steps.
    """
    xp = array_module(r)
    x, true, looks = state.x, norm(r), state.looks
    lost = true > norm(state.r) + xp.finfo(r.dtype).eps ** 0.5 * norm(system.b)
    if bool(lost.any()):
        for candidate in earlier:
            other = norm(system.b - product(system.matvec, candidate))
            better = lost & (other < true)
            x = xp.where(column(better), candidate, x)
            true = xp.where(better, other, true)
        looks = looks + lost * len(earlier)
    return x, true, looks


def certify(system: System, state: State, records: list[Record], earlier: list[Array]):
    """Return x, and with the true residual what it and the records show."""
    r = system.b - product(system.matvec, state.x)
    x, true, looks = best_of(system, state, r, earlier)
    tolerance, xp = system.tolerance, array_module(r)
    passed = true <= tolerance
    error = r - state.r  # what rounding, or M, has done to (8)
    drifted = (state.status == RUNNING) & ~(norm(error) <= DRIFT * norm(r))
    refuted = drifted | ((state.status == int(Status.CONVERGED)) & ~passed)
    status = xp.where(refuted, int(Status.STAGNATION), state.status)
    bad = refuted & ((quadratic(system, r) < 0) | (quadratic(system, error) < 0))
    status = xp.where(bad, int(Status.INDEFINITE_PRECONDITIONER), status)
    known = status != int(Status.NOT_FINITE)
    status = xp.where(known & passed, int(Status.CONVERGED), status)
    x, status = solution(system, x, status)
    units = (system.scale, system.unit_M, looks)
    last = (status, state.iterations, true * system.unit, tolerance * system.unit)
    scalars = [scalar for record in records for scalar in record]
    return x, read(described, *units, *last, *scalars)


def quadratic(system: System, r: Array) -> Array:
    """Return the sign-bearing rᵀMr, (T,), real."""
    r, _ = in_units(r)
    return dot(r, system.precondition(r)).real


def described(scale, unit_M, looks, status, iterations, residual, tolerance, *scalars):
    """Return the SolverInfo of what ``certify`` reads, all on the host."""
    active, alpha, squared_v, beta = stacked(Record, scalars, len(status))
    seen = active.astype(bool) & np.isfinite(alpha)
    unit = matrix_unit(alpha, beta, seen)
    delta = pivots(alpha / unit, beta / unit)
    negative = seen & (delta <= 0)
    step, value = first_negative(delta, negative)
    ritz = [
        smallest_of_tridiagonal(a[k], o[k][:-1])
        for a, o, k in zip((alpha / unit).T, (beta / unit).T, seen.T, strict=True)
    ]
    return SolverInfo(
        status=status,
        iterations=iterations,
        residual=residual,
        tolerance=tolerance,
        smallest_ritz=in_units_of_A(np.array(ritz) * unit, scale),
        smallest_rayleigh=quotients(alpha, squared_v, seen),
        negative_curvature=negative.sum(0),
        first_negative=value * unit * np.real(unit_M),
        first_negative_step=step,
        num_products=active.sum(0).astype(int) + looks + 1,
        measured=np.ones(len(status), dtype=bool),
    )


def matrix_unit(alpha: np.ndarray, beta: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return a power of two near the largest entry of each Lanczos matrix, (T,)."""
    if not len(alpha):
        return np.ones(alpha.shape[1])
    return power_of_two(np.where(seen, np.abs(alpha) + np.abs(beta), 0).T)
