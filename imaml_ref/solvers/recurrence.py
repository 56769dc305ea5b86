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

In exact arithmetic (5) keeps r = b − A x.  Every task takes its own α and β; one that
has ended has α = 0 and p = 0, so its x keeps its bits, and no task can tell that it is
not alone.

r falls by many powers of ten, and p with it.  So p is kept as p/σ, σ a power of two
near ρ/‖r‖, which is the size of M r: c is then of the size of A, and neither it nor a
product leaves the range of a float before A itself does.  In these units (3), (7) are

    c = (p/σ)ᵀq,   α σ = (ρ/σ) / c,   p/σ ← z/σ₊ + (β σ/σ₊) p/σ                     (8)

with the bits of (2)–(7), since a power of two rounds nothing.  b and M have units of
their own, see ``system``.

If A is not positive definite, c can be ≤ 0.  Equations (2)–(7) hold on as long as
c ≠ 0 (x is then a saddle point on the Krylov space, not a minimum), so there are three
ways to go on, by name: ``continue`` (plain CG; c = 0 ends the task), ``truncate`` (end
before that direction, and after x₀ + p if it is the first one) and ``refuse``.

Sources: Hestenes & Stiefel, J. Res. NBS 49:409-436, 1952; Saad, Iterative Methods for
Sparse Linear Systems, 2nd ed., algorithms 6.18 and 9.1; truncation as in Nocedal &
Wright, Numerical Optimization, 2nd ed., algorithm 7.1.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..compute import Array, array_module, dot, powers_of_two
from .info import Status
from .system import System, cleared, column, product

# A task that nothing else has ended has used up its steps.  An int: arrays of a device
# take no Status.
RUNNING = int(Status.MAXITER)


class State(NamedTuple):
    """Where the iteration stands: x, r, p/σ (T, P); the rest (T,)."""

    x: Array
    r: Array
    p: Array
    sigma: Array
    rho: Array
    residual: Array
    iterations: Array
    status: Array


class Record(NamedTuple):
    """The scalars of one step, each (T,): all that the diagnostics are made of.

    Args:
        active: Whether the task was still running when its product was made.
        c: pᵀAp of (3), for p in units of σ.
        squared_p: pᵀp, likewise.
        rho: ρ of (3), in units of σ².
        beta: β of (6); 0 if the task goes no further along this sequence.
        sigma: σ.
    """

    active: Array
    c: Array
    squared_p: Array
    rho: Array
    beta: Array
    sigma: Array


def begin(system: System, x: Array, r: Array) -> State:
    """Start from x (T, P) with its residual r (T, P): (1)."""
    xp = array_module(x)
    z = system.precondition(r)
    rho, residual = measure(r, z)
    status = judge_residual(system, rho, residual)
    sigma = size_of_direction(rho, residual)
    p = cleared(z * column(1 / sigma), status != RUNNING)
    return State(x, r, p, sigma, rho, residual, xp.zeros_like(status), status)


def advance(system: System, state: State) -> tuple[State, Record]:
    """Make one step (2)–(8) for every task that is still running."""
    xp = array_module(state.x)
    x, r, p, sigma, rho, residual, iterations, status = state
    active = status == RUNNING
    q = product(system.matvec, p)  # (2)
    c, rho_sigma = dot(p, q), rho / sigma  # (3)
    judged = judge_curvature(system, c, rho_sigma, residual)
    status = xp.where(active, judged, status)
    first = active & (status == int(Status.TRUNCATED)) & (iterations == 0)
    alpha, moves = step_length(status, first, c, rho_sigma, system.unit_M, sigma)
    x = increased(column(alpha) * p, x)  # (4)
    r = increased(column(-alpha) * q, r)  # (5)
    z = system.precondition(r)  # (6)
    next_rho, next_residual = measure(r, z)
    residual = xp.where(moves, next_residual, residual)
    judged = judge_residual(system, next_rho, next_residual)
    status = xp.where(status == RUNNING, judged, status)
    runs = status == RUNNING
    beta = xp.where(runs, next_rho, 0) / xp.where(runs, rho, 1)
    record = Record(active, c, dot(p, p), rho_sigma / sigma, beta, sigma)
    longer, sigma = sigma, size_of_direction(next_rho, next_residual)
    p = column(beta * (longer / sigma)) * p
    p = cleared(increased(p, z * column(1 / sigma)), ~runs)  # (7)
    state = State(x, r, p, sigma, next_rho, residual, iterations + moves, status)
    return state, record


def size_of_direction(rho: Array, residual: Array) -> Array:
    """Return σ of (8), (T,): a power of two near ρ/‖r‖, or 1."""
    usable = residual > 0
    xp = array_module(rho)
    size = xp.where(usable, rho.real, 1) / xp.where(usable, residual, 1)
    return powers_of_two(xp.abs(size))


def increased(a: Array, b: Array) -> Array:
    """Return a + b, (T, P), in the place of a, which nobody else has."""
    a += b
    return a


def measure(r: Array, z: Array) -> tuple[Array, Array]:
    """Return ρ = rᵀz and ‖r‖₂, each (T,); one sum if z is r."""
    rho = dot(r, z)
    squared = rho if z is r else dot(r, r)
    return rho, array_module(r).sqrt(squared.real)


def step_length(status, first, c, rho, unit_M, sigma) -> tuple[Array, Array]:
    """Return α σ of (8), 0 for a task that stays where it is, and who moves, (T,).

    A task truncated at its ``first`` direction takes it at the length of x₀ + M r₀.
    """
    xp = array_module(c)
    runs = status == RUNNING
    alpha = xp.where(runs, rho, 0) / xp.where(runs, c, 1)
    # Of no other task: for a small λ it may have no float.
    unit = unit_M * xp.where(first, sigma, 0)
    return xp.where(first, unit, alpha).astype(c.dtype), runs | first


def judge_curvature(system: System, c: Array, rho: Array, residual: Array) -> Array:
    """Return the status that c and ρ/σ of (8), and ‖r‖, lead to, (T,)."""
    xp = array_module(c)
    tiny = xp.finfo(c.dtype).tiny
    # α would overflow, or does not exist.
    bad = xp.abs(c.real) <= tiny * xp.abs(rho.real)
    if system.conduct != "continue":
        bad = bad | (c.real <= 0)
    status = xp.where(bad, int(ENDINGS[system.conduct]), int(RUNNING))
    # α would lose half its digits to the end of the range, and r part from x; where r
    # is rounding of b and of sums over P entries, x has moved for the last time.
    eps = xp.finfo(c.dtype).eps
    short = xp.abs(rho.real) <= tiny * eps**0.5 * xp.abs(c.real)
    solved = residual <= system.b.shape[1] * eps
    ending = xp.where(solved, int(Status.CONVERGED), int(Status.STAGNATION))
    status = xp.where(short & ~bad, ending, status)
    return xp.where(xp.isfinite(c), status, int(Status.NOT_FINITE))


ENDINGS = {
    "continue": Status.BREAKDOWN,
    "truncate": Status.TRUNCATED,
    "refuse": Status.NEGATIVE_CURVATURE,
}


def judge_residual(system: System, rho: Array, residual: Array) -> Array:
    """Return the status that ρ = rᵀMr and ‖r‖ lead to, (T,)."""
    xp = array_module(rho)
    least = xp.maximum(system.tolerance, vanished(residual.dtype))
    status = xp.where(rho.real > 0, int(RUNNING), int(Status.INDEFINITE_PRECONDITIONER))
    status = xp.where(xp.isfinite(rho), status, int(Status.NOT_FINITE))
    status = xp.where(residual <= least, int(Status.CONVERGED), status)
    # An infinite b has an infinite tolerance.
    return xp.where(xp.isfinite(residual), status, int(Status.NOT_FINITE))


@cache
def vanished(dtype: Any) -> Any:
    """Return the ‖r‖, in units of the first one, below which r says nothing any more.

    Its square would lose digits to the end of the range there, and x has not moved for
    long: by rounding alone the true residual is above ε ‖A‖ ‖x‖ ≥ ε ‖b‖.
    """
    kind = np.finfo(dtype)
    return min(kind.eps, (kind.tiny / kind.eps) ** 0.5)
