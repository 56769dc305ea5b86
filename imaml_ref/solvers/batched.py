"""Conjugate gradients for A x = b, one system per task, all tasks in step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..backend import Array, array_module, to_host
from .info import SolverInfo
from .lanczos import smallest_ritz_value
from .options import CONDUCTS, check_choice, check_count, check_tolerance
from .recurrence import RUNNING, Record, State, System, advance, begin, norm, product

Matvec = Callable[[Array], Array]


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
    ``maxiter`` steps, unless r vanishes.  No task changes the bits of another.  The
    residual is the recursive one, b − Σ α A p: it costs no product and differs from
    ‖b − A x‖ by rounding only, which in float32 and for condition numbers near 1e6 can
    be all of it; ``CertifiedCG`` tests the true one.

    Args:
        matvec: v ↦ A v, (T, P) -> (T, P), symmetric for each task.
        b: Right-hand sides, (T, P), float32 or float64.
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
        TypeError: If b is not of floating type, or dtypes are mixed.

    Source: see ``recurrence``; (5) of docs/mathematics.md is the system it is for.
    """
    check_choice("on_negative_curvature", on_negative_curvature, CONDUCTS)
    system = make_system(matvec, b, rtol, atol, M, on_negative_curvature)
    check_count("maxiter", maxiter)
    state = begin(system, *start(system, x0))
    records: list[Record] = []
    for _ in range(10 * b.shape[1] if maxiter is None else maxiter):
        # Without a tolerance there is nothing to gain from asking, and on a GPU each
        # question waits for the device.
        if (rtol or atol) and not (state.status == RUNNING).any():
            break
        state, record = advance(system, state)
        records.append(record)
        if callback is not None:
            callback(state.x)
    return state.x, summarise(system, state, records, constant_of(M))


@dataclass(frozen=True)
class CG:
    """Conjugate gradients, a fixed number of steps by default: the paper's solver.

    Args:
        maxiter: Most steps.
        rtol: Tolerance relative to ‖b‖₂; 0 for exactly ``maxiter`` steps.
        atol: Absolute tolerance, in units of b.
        on_negative_curvature: "continue", "truncate" or "refuse"; see ``cg_batched``.

    Raises:
        ValueError: If an option is out of its range.
    """

    maxiter: int = 5
    rtol: float = 0.0
    atol: float = 0.0
    on_negative_curvature: str = "continue"
    name: ClassVar[str] = "CG"

    def __post_init__(self):
        check_count("maxiter", self.maxiter)
        check_tolerance("rtol", self.rtol)
        check_tolerance("atol", self.atol)
        check_choice("on_negative_curvature", self.on_negative_curvature, CONDUCTS)

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


def make_system(
    matvec: Matvec,
    b: Array,
    rtol: float,
    atol: float,
    M: Any,
    conduct: str,
) -> System:
    """Check b, M and the tolerances, and put them together.

    Raises:
        ValueError: If a shape or a tolerance is wrong.
        TypeError: If b is not of floating type, or M has another dtype.
    """
    if b.ndim != 2:
        raise ValueError(f"b must have shape (T, P), got {b.shape}")
    if b.dtype.kind not in "fc":
        raise TypeError(f"b must be of floating type, got {b.dtype}")
    check_tolerance("rtol", rtol)
    check_tolerance("atol", atol)
    size = norm(b)
    tolerance = array_module(b).maximum(rtol * size, size.dtype.type(atol))
    return System(matvec, preconditioner(M, b), b, tolerance, conduct)


def preconditioner(M: Any, b: Array) -> Matvec:
    """Return r ↦ M r for whatever a user may call a preconditioner.

    Raises:
        ValueError: If the diagonal does not broadcast to the shape of b.
        TypeError: If the diagonal has another dtype than b.
    """
    if M is None:
        return lambda r: r
    if callable(M):
        return lambda r: product(M, r)
    if np.ndim(M) == 0:
        M = b.dtype.type(M)
    if M.dtype != b.dtype:
        raise TypeError(f"M must be {b.dtype}, like b, got {M.dtype}")
    if np.broadcast_shapes(M.shape, b.shape) != b.shape:
        raise ValueError(f"M of shape {M.shape} must broadcast to b's {b.shape}")
    return lambda r: M * r


def start(system: System, x0: Array | None) -> tuple[Array, Array]:
    """Return x₀ and its residual; no product for x₀ = 0.

    Raises:
        ValueError: If x0 has not the shape of b.
        TypeError: If x0 has another dtype than b.
    """
    b = system.b
    xp = array_module(b)
    if x0 is None:
        return xp.zeros_like(b, order="C"), xp.ascontiguousarray(b)
    if x0.shape != b.shape:
        raise ValueError(f"x0 must have the shape of b, {b.shape}, got {x0.shape}")
    if x0.dtype != b.dtype:
        raise TypeError(f"x0 must be {b.dtype}, like b, got {x0.dtype}")
    x0 = xp.ascontiguousarray(x0)
    return x0, b - product(system.matvec, x0)


def constant_of(M: Any) -> np.ndarray | float | None:
    """Return M's value for each task, (T,) or (), if it is one; else None."""
    if M is None:
        return 1.0
    if callable(M):
        return None
    if np.ndim(M) == 0:
        return float(M)
    return to_host(M)[:, 0] if M.shape[-1] == 1 and M.ndim == 2 else None


def summarise(
    system: System,
    state: State,
    records: list[Record],
    scale: np.ndarray | float | None,
) -> SolverInfo:
    """Turn the records of all steps into what each task should know.

    Args:
        system: The system.
        state: Where the iteration ended.
        records: One per step.
        scale: M where it is a constant: Ritz values are divided by it.
    """
    shape = (len(records), len(system.b))
    active, c, squared_p, rho, beta = (
        np.array([to_host(r[i]).real for r in records]).reshape(shape)
        for i in range(len(Record._fields))
    )
    seen = active.astype(bool) & np.isfinite(c)
    negative = seen & (c <= 0)
    first = negative.argmax(0) if len(records) else np.zeros(shape[1], int)
    met = negative.any(0)
    tasks = np.arange(shape[1])
    rayleigh = np.full(shape, np.inf)
    np.divide(c, squared_p, out=rayleigh, where=seen)
    ritz = np.array([_ritz(c, rho, beta, seen, t) for t in tasks])
    return SolverInfo(
        status=to_host(state.status),
        iterations=to_host(state.iterations),
        residual=to_host(state.residual),
        tolerance=to_host(system.tolerance),
        smallest_ritz=ritz if scale is None else ritz / scale,
        smallest_rayleigh=rayleigh.min(0, initial=np.inf),
        negative_curvature=negative.sum(0),
        first_negative=np.where(met, c[first, tasks] if len(records) else 0, np.nan),
        first_negative_step=np.where(met, first + 1, 0),
        num_products=active.astype(int).sum(0),
    )


def _ritz(c, rho, beta, seen, task):
    """Return the smallest Ritz value of a task, in float64."""
    s = seen[:, task]
    column = [a[s, task].astype(np.float64) for a in (c, rho, beta)]
    return smallest_ritz_value(column[0] / column[1], column[2])
