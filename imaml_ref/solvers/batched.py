"""Conjugate gradients for A x = b, one system per task, all tasks in step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..arguments import Settings, setting
from ..compute import Array
from .diagnostics import summarise
from .info import SolverInfo
from .recurrence import RUNNING, Record, advance, begin
from .system import (
    CONDUCT,
    STEPS,
    TOLERANCE,
    Matvec,
    column,
    make_system,
    solution,
)


def cg_batched(
    matvec: Matvec,
    b: Array,
    x0: Array | None = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Array], object] | None = None,
    on_negative_curvature: str = "continue",
) -> tuple[Array, SolverInfo]:
    """Solve A x = b for every task by the recurrence of ``recurrence``.

    A task stops when ‖r‖ ≤ max(rtol ‖b‖, atol); with rtol = atol = 0 it makes exactly
    ``maxiter`` steps, unless r vanishes: ‖r‖ falls below min(ε, (tiny/ε)^(1/2)) of the
    first one, 3e-16 in float32 and 1e-146 in float64.  A is asked for products with
    vectors in units of their own, powers of two.  No task changes the bits of another.

    The residual is the recursive one, b − Σ α A p: it costs no product and differs from
    ‖b − A x‖ by rounding only, which in float32 and for condition numbers near 1e6 can
    be all of it, and after convergence is; ``CertifiedCG`` tests the true one.

    Args:
        matvec: v ↦ A v, (T, P) -> (T, P), symmetric for each task.
        b: Right-hand sides, (T, P), float32 or float64; complex only as the argument
            of a complex step, ‖Im b‖ ≤ ε^(1/2) ‖Re b‖.
        x0: Where to start, (T, P); zero if None.
        rtol: Tolerance relative to ‖b‖₂, without unit.
        atol: Absolute tolerance, in units of b.
        maxiter: Most steps; 10 P if None.
        M: Preconditioner ≈ A⁻¹, symmetric positive definite: a function like
            ``matvec``, or its diagonal, an array that broadcasts against (T, P).
        callback: Called as callback(x) after each step, x (T, P).
        on_negative_curvature: What to do at pᵀAp ≤ 0.  "continue": plain CG, which
            only pᵀAp = 0 stops; "truncate": return the x before that direction, or
            x₀ + M r₀ if it is the first (M b for x₀ = 0: the first-order direction);
            "refuse": the same x (x₀ if it is the first), with a status of its own.

    Returns:
        x (T, P) and what was found out about each task.  ``smallest_ritz`` belongs to
        A if M is None or a constant for each task, and to M^(1/2) A M^(1/2) otherwise,
        whose sign tells as much; ``smallest_rayleigh`` always belongs to A.

    Raises:
        ValueError: If a shape or an option is wrong.
        TypeError: If b is not real and of floating type, or dtypes are mixed.

    Source: see ``recurrence``; (5) of docs/mathematics.md is the system it is for.
    """
    conduct = on_negative_curvature
    system = make_system(matvec, b, x0, rtol=rtol, atol=atol, M=M, conduct=conduct)
    maxiter = STEPS("maxiter", maxiter)
    state = begin(system, system.x0, system.r0)
    records: list[Record] = []
    for _ in range(10 * b.shape[1] if maxiter is None else maxiter):
        # Without a tolerance there is nothing to gain from asking, and on a GPU each
        # question waits for the device.
        if (rtol or atol) and not (state.status == RUNNING).any():
            break
        state, record = advance(system, state)
        records.append(record)
        if callback is not None:
            callback(state.x * column(system.unit))
    x, status = solution(system, state.x, state.status)
    return x, summarise(system, state._replace(status=status), records)


@dataclass(frozen=True)
class CG(Settings):
    """Conjugate gradients, a fixed number of steps by default: the paper's solver.

    Args:
        maxiter: Most steps.
        rtol: Tolerance relative to ‖b‖₂; 0 for exactly ``maxiter`` steps.
        atol: Absolute tolerance, in units of b.
        on_negative_curvature: "continue", "truncate" or "refuse"; see ``cg_batched``.

    Raises:
        ValueError: If an option is out of its range.
    """

    maxiter: int = setting(STEPS, 5)
    rtol: float = setting(TOLERANCE, 0.0)
    atol: float = setting(TOLERANCE, 0.0)
    on_negative_curvature: str = setting(CONDUCT, "continue")
    name: ClassVar[str] = "CG"

    def solve(self, matvec: Matvec, b: Array, M=None) -> tuple[Array, SolverInfo]:
        """Solve A x = b for every task: ``cg_batched`` with these options."""
        return cg_batched(
            matvec,
            b,
            rtol=self.rtol,
            atol=self.atol,
            maxiter=self.maxiter,
            M=M,
            on_negative_curvature=self.on_negative_curvature,
        )
