"""Conjugate gradients whose claim to have converged is checked.

The recurrence keeps r = b − A x in exact arithmetic only: in float32, at a condition
number of 1e6, it can pass a test at 1e-5 where ‖b − A x‖ is 0.1 ‖b‖.  So

    at a claimed convergence, and at every step that is a multiple of ``refresh``,
    s = b − A x is computed;  ‖s‖ ≤ tolerance at a claim proves it, but for the
    rounding of s itself, about ε ‖A‖ ‖x‖;                                           (1)
    a claim that s refutes, or ‖s − r‖ > 0.9 ‖s‖ (r knows nothing of s any more)
    restarts the recurrence from x, with r = s;                                      (2)
    the third restart in a row that has not halved the least ‖s‖ of a restart ends
    the task as stagnant.                                                            (3)

This differs from the textbook's replacement of r by s every 50 steps (Shewchuk 1994,
algorithm B2), which keeps the old direction p: that one diverges where drift is large,
since p and s are not then what β supposes.

Sources: van der Vorst & Ye, SIAM J. Sci. Comput. 22(3):835-852, 2000, for why the
two residuals part; Shewchuk, "An Introduction to the Conjugate Gradient Method Without
the Agonizing Pain", 1994.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..arguments import Settings, having, setting, whole
from ..compute import Array, array_module, norm, read
from .diagnostics import summarise
from .info import SolverInfo, Status
from .recurrence import RUNNING, Record, State, advance, begin, vanished
from .system import (
    CONDUCT,
    STEPS,
    TOLERANCE,
    Matvec,
    System,
    column,
    make_system,
    product,
    solution,
)
from .woodbury import Jacobi

DRIFT = 0.9  # of ‖s‖, in (2): a restart forgets the Krylov space, so not lightly
PATIENCE = 3  # restarts, in (3)


@dataclass(frozen=True)
class CertifiedCG(Settings):
    """Conjugate gradients that report what is true: ‖b − A x‖ from its definition.

    That costs one product at each claim, one every ``refresh`` steps, and one at the
    end of a task that has not converged; CONVERGED means that ``residual`` passed.

    ``smallest_ritz`` is an upper bound on λ_min (of A, or of M^(1/2) A M^(1/2) as
    ``cg_batched`` says), close to it once CG has converged; pᵀAp ≤ 0 proves A
    indefinite, and its absence proves nothing; ``smallest_eigenvalue`` is sharper.  All
    this in exact arithmetic: pᵀAp and Ritz values are rounded by about ε ‖A‖ ‖p‖² and
    ε ‖A‖, so a negative one proves something only where it is larger than that.

    Args:
        rtol: Tolerance relative to ‖b‖₂, without unit.
        atol: Absolute tolerance, in units of b.
        maxiter: Most steps; 10 P if None.
        refresh: Steps between looks at the true residual.
        on_negative_curvature: As in ``cg_batched``.

    Raises:
        ValueError: If an option is out of its range.
    """

    rtol: float = setting(TOLERANCE, 1e-5)
    atol: float = setting(TOLERANCE, 0.0)
    maxiter: int | None = setting(STEPS, None)
    refresh: int = setting(whole(), 50)
    on_negative_curvature: str = setting(CONDUCT, "continue")
    name: ClassVar[str] = "certified CG"

    def solve(
        self, matvec: Matvec, b: Array, M: Any = None, *, x0=None, callback=None
    ) -> tuple[Array, SolverInfo]:
        """Solve A x = b for every task, the arguments those of ``cg_batched``."""
        system = make_system(
            matvec,
            b,
            x0,
            rtol=self.rtol,
            atol=self.atol,
            M=M,
            conduct=self.on_negative_curvature,
        )
        maxiter = 10 * b.shape[1] if self.maxiter is None else self.maxiter
        return solve_certified(
            system, maxiter=maxiter, refresh=self.refresh, callback=callback
        )


@dataclass(frozen=True)
class PreconditionedCG(CertifiedCG):
    """``CertifiedCG`` with a preconditioner that it makes; ``num_products`` has both.

    Args:
        by: Makes it, ``Jacobi()`` or ``Nystrom()``; the others are ``CertifiedCG``'s.
    """

    by: Any = setting(having("prepare", "Jacobi()"), make=Jacobi)
    name: ClassVar[str] = "preconditioned CG"

    @property
    def takes_factor(self) -> bool:
        """Whether ``solve`` needs the ``factor`` of G."""
        return getattr(self.by, "takes_factor", False)

    def solve(
        self, matvec: Matvec, b: Array, M=None, *, x0=None, callback=None, **factor: Any
    ) -> tuple[Array, SolverInfo]:
        """Solve A x = b for every task; M is the diagonal of Λ⁻¹."""
        M, products = self.by.prepare(matvec, b, M, **factor)
        x, info = super().solve(matvec, b, M, x0=x0, callback=callback)
        return x, read(_with_more, info, products)


class Proof(NamedTuple):
    """What has been checked, (T,): claims proved, least ‖s‖, strikes, products."""

    proven: Array
    least: Array
    strikes: Array
    products: Array


def solve_certified(
    system: System,
    *,
    maxiter: int,
    refresh: int,
    callback: Callable[[Array], object] | None = None,
) -> tuple[Array, SolverInfo]:
    """Run the recurrence with the checks (1)–(3); refresh 0 for claims only."""
    state = begin(system, system.x0, system.r0)
    proof = nothing_proven(state)
    records: list[Record] = []
    for step in range(1, maxiter + 1):
        if not (state.status == RUNNING).any():
            break
        state, record = advance(system, state)
        records.append(record)
        due = refresh > 0 and step % refresh == 0
        state, proof, records[-1] = look(system, state, proof, record, due)
        if callback is not None:
            callback(state.x * column(system.unit))
    return _certify(system, state, proof, records)


def nothing_proven(state: State) -> Proof:
    """Start the proof: where x₀ solves the system, its residual was the true one."""
    xp = array_module(state.x)
    proven = state.status == int(Status.CONVERGED)
    none = xp.zeros_like(state.iterations)
    return Proof(proven, xp.full_like(state.residual, xp.inf), none, none)


def look(system, state, proof, record, due):
    """Check the claims, and at a refresh all tasks, by (1)–(3)."""
    xp = array_module(state.x)
    claims = (state.status == int(Status.CONVERGED)) & ~proof.proven
    looked = claims | (due & (state.status == RUNNING))
    if not looked.any():
        return state, proof, record
    s = system.b - product(system.matvec, state.x)
    fresh = begin(system, state.x, s)
    drifted = ~(norm(s - state.r) <= DRIFT * fresh.residual)
    restart = looked & (claims | drifted)
    refuted = restart & (fresh.status == RUNNING)
    halved = fresh.residual <= proof.least / 2
    strikes = xp.where(refuted, xp.where(halved, 0, proof.strikes + 1), proof.strikes)
    least = xp.where(refuted & halved, fresh.residual, proof.least)
    state = _merge(restart, fresh, state)
    stagnant = refuted & (strikes >= PATIENCE)
    status = xp.where(stagnant, int(Status.STAGNATION), state.status)
    # From an x₀ far above the solution r may vanish while it is large beside b.
    least_seen = vanished(s.dtype) * norm(system.b)
    true = norm(s) <= xp.maximum(system.tolerance, least_seen)
    proven = proof.proven | (restart & (status == int(Status.CONVERGED)) & true)
    proof = Proof(proven, least, strikes, proof.products + looked)
    beta = xp.where(restart, 0, record.beta)
    return state._replace(status=status), proof, record._replace(beta=beta)


def _merge(chosen: Array, fresh: State, old: State) -> State:
    """Take the chosen tasks from a fresh start, the others as they were."""
    where = array_module(old.x).where
    merged = State(
        *(
            where(column(chosen) if a.ndim == 2 else chosen, a, b)
            for a, b in zip(fresh, old, strict=True)
        )
    )
    return merged._replace(x=old.x, iterations=old.iterations)


def _certify(system, state, proof, records):
    """Return x and its summary, with the true residual in place of the recursive."""
    xp = array_module(state.x)
    if not proof.proven.all():
        true = norm(system.b - product(system.matvec, state.x))
        # A step that cannot be made matters no more where nothing is left to do.
        asked = (int(Status.NEGATIVE_CURVATURE), int(Status.TRUNCATED))
        ended = xp.isin(state.status, xp.asarray((*asked, int(Status.NOT_FINITE))))
        passed = ~ended & (true <= system.tolerance)
        refuted = (state.status == int(Status.CONVERGED)) & ~proof.proven
        status = xp.where(refuted, int(Status.STAGNATION), state.status)
        status = xp.where(passed, int(Status.CONVERGED), status)
        state = state._replace(status=status, residual=true)
    x, status = solution(system, state.x, state.status)
    info = summarise(system, state._replace(status=status), records)
    return x, read(_with_more, info, proof.products + ~proof.proven)


def _with_more(info: SolverInfo, products: np.ndarray) -> SolverInfo:
    """Count more products; the residual is from its definition."""
    return dataclasses.replace(
        info,
        num_products=info.num_products + products,
        measured=np.ones_like(info.measured),
    )
