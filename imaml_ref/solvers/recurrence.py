"""The recurrence of preconditioned conjugate gradients, for all tasks at once.

Let A and M ≈ A⁻¹ be symmetric positive definite.  From x₀, with

    r = b − A x₀,   z = M r,   ρ = rᵀz,   p = z                                   (1)

one step of the method is

    q = A p                                                                       (2)
    c = pᵀq,   α = ρ / c                                                          (3)
    x ← x + α p                                                                   (4)
    r ← r − α q                                                                   (5)
    z = M r,   β = rᵀz / ρ,   ρ ← rᵀz                                             (6)
    p ← z + β p                                                                   (7)

In exact arithmetic (5) keeps r = b − A x.  Every task takes its own α and β.  A task
that has ended has α = 0, p = 0 and an x that is not written any more, so each task's
bits are those of a run on its own.

If A is not positive definite, c can be ≤ 0.  Equations (2)–(7) hold on as long as
c ≠ 0 (x is then a saddle point on the Krylov space, not a minimum), so there are three
ways to go on, by name: ``continue`` (plain CG; c = 0 ends the task), ``truncate`` (end
before that direction, and after x₀ + p if it is the first one) and ``refuse``.

Sources: Hestenes & Stiefel, J. Res. NBS 49:409-436, 1952; Saad, Iterative Methods for
Sparse Linear Systems, 2nd ed., algorithms 6.18 and 9.1; truncation as in Nocedal &
Wright, Numerical Optimization, 2nd ed., algorithm 7.1.
"""

from collections.abc import Callable
from typing import NamedTuple

from ..backend import Array, array_module
from .info import Status

RUNNING = Status.MAXITER  # a task that nothing else has ended has used up its steps


class System(NamedTuple):
    """A x = b for every task, and how to solve it.

    Args:
        matvec: v ↦ A v, (T, P) -> (T, P).
        precondition: r ↦ M r, likewise.
        b: (T, P).
        tolerance: On ‖r‖₂, in units of b, (T,).
        conduct: What to do at pᵀAp ≤ 0: one of ``options.CONDUCTS``.
    """

    matvec: Callable[[Array], Array]
    precondition: Callable[[Array], Array]
    b: Array
    tolerance: Array
    conduct: str


class State(NamedTuple):
    """Where the iteration stands: x, r, p (T, P); the rest (T,)."""

    x: Array
    r: Array
    p: Array
    rho: Array
    residual: Array
    iterations: Array
    status: Array


class Record(NamedTuple):
    """The scalars of one step, each (T,): all that the diagnostics are made of.

    Args:
        active: Whether the task was still running when its product was made.
        c: pᵀAp of (3).
        squared_p: pᵀp.
        rho: ρ of (3).
        beta: β of (6).
    """

    active: Array
    c: Array
    squared_p: Array
    rho: Array
    beta: Array


def begin(system: System, x: Array, r: Array) -> State:
    """Start from x (T, P) with its residual r (T, P): (1)."""
    xp = array_module(x)
    z = system.precondition(r)
    rho, residual = dot(r, z), norm(r)
    status = _judge_residual(system, rho, residual)
    p = xp.where(column(status == RUNNING), z, xp.zeros_like(z))
    return State(x, r, p, rho, residual, xp.zeros_like(status), status)


def advance(system: System, state: State) -> tuple[State, Record]:
    """Make one step (2)–(7) for every task that is still running."""
    xp = array_module(state.x)
    x, r, p, rho, residual, iterations, status = state
    active = status == RUNNING
    q = product(system.matvec, p)  # (2)
    c = dot(p, q)  # (3)
    status = xp.where(active, _judge_curvature(system, c, rho), status)
    alpha, moves = _step_length(status, active, iterations, c, rho)
    x = xp.where(column(moves), x + column(alpha) * p, x)  # (4)
    r = r - column(alpha) * q  # (5)
    z = system.precondition(r)  # (6)
    rho_next = xp.where(moves, dot(r, z), rho)
    beta = rho_next / xp.where(moves, rho, xp.ones_like(rho))
    residual = xp.where(moves, norm(r), residual)
    judged = _judge_residual(system, rho_next, residual)
    status = xp.where(status == RUNNING, judged, status)
    p = xp.where(
        column(status == RUNNING), z + column(beta) * p, xp.zeros_like(p)
    )  # (7)
    record = Record(active, c, dot(state.p, state.p), rho, beta)
    iterations = iterations + moves
    return State(x, r, p, rho_next, residual, iterations, status), record


def _step_length(status, active, iterations, c, rho):
    """Return α of (3), 0 for a task that stays where it is, and who moves.

    A task truncated at its first direction takes it at unit length: x₀ + M r₀.
    """
    xp = array_module(c)
    runs = status == RUNNING
    first = active & (status == Status.TRUNCATED) & (iterations == 0)
    alpha = xp.where(runs, rho, xp.zeros_like(rho)) / xp.where(runs, c, xp.ones_like(c))
    return xp.where(first, xp.ones_like(alpha), alpha), runs | first


def _judge_curvature(system, c, rho):
    """Return the status that c = pᵀAp leads to, (T,)."""
    xp = array_module(c)
    no_length = xp.abs(c.real) <= xp.finfo(c.dtype).tiny * xp.abs(rho.real)
    at_most_zero = {
        "continue": no_length,
        "truncate": no_length | (c.real <= 0),
        "refuse": no_length | (c.real <= 0),
    }[system.conduct]
    code = {
        "continue": Status.BREAKDOWN,
        "truncate": Status.TRUNCATED,
        "refuse": Status.NEGATIVE_CURVATURE,
    }[system.conduct]
    status = xp.where(at_most_zero, int(code), int(RUNNING))
    return xp.where(xp.isfinite(c), status, int(Status.NOT_FINITE))


def _judge_residual(system, rho, residual):
    """Return the status that ρ = rᵀMr and ‖r‖ lead to, (T,)."""
    xp = array_module(rho)
    status = xp.where(rho.real > 0, int(RUNNING), int(Status.INDEFINITE_PRECONDITIONER))
    finite = xp.isfinite(rho) & xp.isfinite(residual)
    status = xp.where(finite, status, int(Status.NOT_FINITE))
    return xp.where(residual <= system.tolerance, int(Status.CONVERGED), status)


def product(matvec: Callable[[Array], Array], v: Array) -> Array:
    """Return matvec(v), having checked that it is an array like v.

    Raises:
        ValueError: If its shape is not that of v.
        TypeError: If its dtype is not that of v.
    """
    q = matvec(v)
    if q.shape != v.shape:
        raise ValueError(f"matvec must return shape {v.shape}, like v, got {q.shape}")
    if q.dtype != v.dtype:
        raise TypeError(
            f"matvec must return {v.dtype}, like b, got {q.dtype}; "
            "give b and the operator one dtype"
        )
    return array_module(q).ascontiguousarray(q)


def dot(a: Array, b: Array) -> Array:
    """Return aᵀb per task: (T, P), (T, P) -> (T,)."""
    return (a * b).sum(-1)


def norm(a: Array) -> Array:
    """Return ‖a‖₂ per task, real: (T, P) -> (T,)."""
    return array_module(a).sqrt(dot(a, a).real)


def column(a: Array) -> Array:
    """Line a (T,) array up with (T, P)."""
    return a[:, None]
