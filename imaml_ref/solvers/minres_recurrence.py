"""The recurrence of MINRES, for all tasks at once: A symmetric, definite or not.

The Lanczos process on A with the positive definite M ≈ A⁻¹, from u₁ = b − A x₀,
z₁ = M u₁, β₁ = (u₁ᵀz₁)^(1/2), gives for k = 1, 2, …

    v = z_k / β_k,   q = A v,   α = vᵀq                                            (1)
    u_(k+1) = q − (α/β_k) u_k − (β_k/β_(k−1)) u_(k−1)                              (2)
    z_(k+1) = M u_(k+1),   β_(k+1) = (u_(k+1)ᵀ z_(k+1))^(1/2)                      (3)

with the tridiagonal matrix of α_k and β_(k+1).  One Givens reflection per step, from
c = −1, s = δ̄ = ε = 0 and φ = β₁, keeps its QR factorisation,

    ε₋ = ε,   δ = c δ̄ + s α,   γ̄ = s δ̄ − c α,   ε = s β_(k+1),   δ̄ = −c β_(k+1)    (4)
    γ = (γ̄² + β_(k+1)²)^(1/2),   c = γ̄/γ,   s = β_(k+1)/γ                          (5)

and with w₀ = w₋₁ = 0 the x that minimises ‖b − A x‖_M over the Krylov space is

    w_k = (v − ε₋ w_(k−2) − δ w_(k−1)) / γ                                         (6)
    x ← x + c φ w_k,   φ ← s φ                                                     (7)
    r ← s² r − φ c u_(k+1)/β_(k+1)                                                 (8)

For A positive definite it is a near relative of CG; for A indefinite CG can break down
and this cannot, unless A is singular: γ = 0 to rounding then ends it before (6), at
an x whose residual no vector of the Krylov space makes smaller.

If A is singular and b has a part outside its range, r tends to that part, A r to 0, and
then γ to rounding divided by something unknown: (6) divides by noise.  Now

    ‖A r‖_M / ‖r‖_M = (γ̄² + δ̄²)^(1/2)   of the step to come, before (5)              (9)

is never below the least |λ|.  Where it is below ε^(1/2) ‖A‖, κ is above ε^(−1/2) and x
need not have a digit; from there on ‖b − A x‖_M is computed at each step, and a step
that makes it larger, as none does in exact arithmetic, or that A maps to no more than
its own rounding, P ε ‖A‖ ‖Δx‖, is not made: A is singular to rounding.

Sources: (1)–(7) Paige & Saunders, SIAM J. Numer. Anal. 12(4):617-629, 1975, in the
letters of SciPy's ``minres``; (8) Choi, PhD thesis, Stanford 2006, section 2.2.4.
This differs from SciPy in taking all tasks at once, and in its test, on ‖b − A x‖.
"""

from typing import Any, NamedTuple

from ..compute import Array, array_module, dot, in_units, norm
from .info import Status
from .system import System, column, product

# A task that nothing else has ended has used up its steps.  An int: arrays of a device
# take no Status.
RUNNING = int(Status.MAXITER)


class Lanczos(NamedTuple):
    """The process (1)–(3): u, z (T, P), β (T,), and what was before."""

    u: Array
    u_old: Array
    z: Array
    beta: Array
    beta_old: Array


class Rotation(NamedTuple):
    """The factorisation (4), (5), each (T,), and the largest |α| + β so far."""

    c: Array
    s: Array
    delta_bar: Array
    epsilon: Array
    size: Array


class State(NamedTuple):
    """Where the iteration stands: x, r, w (T, P), φ (T,), and the two above.

    Args:
        watched: Whether (9) has ever been small, (T,).
        least: ‖b − A x‖_M², (T,), while watched; φ² before.
        looks: Products that this has taken, (T,).
    """

    x: Array
    r: Array
    w: Array
    w_old: Array
    phi: Array
    lanczos: Lanczos
    rotation: Rotation
    iterations: Array
    status: Array
    watched: Array
    least: Array
    looks: Array


class Record(NamedTuple):
    """The scalars of one step, each (T,): active, α, vᵀv and β_(k+1)."""

    active: Array
    alpha: Array
    squared_v: Array
    beta: Array


def begin(system: System) -> State:
    """Return the state before the first step."""
    x, r = system.x0, system.r0
    xp = array_module(x)
    z = system.precondition(r)
    beta, squared = _length(r, z)
    status = _judge(system, squared, r)
    none, one = xp.zeros_like(beta), xp.ones_like(beta)
    nothing = xp.zeros_like(r)
    return State(
        x=x,
        r=r,
        w=nothing,
        w_old=nothing,
        phi=beta,
        lanczos=Lanczos(r, nothing, z, beta, one),
        rotation=Rotation(-one, none, none, none, none),
        iterations=xp.zeros_like(status),
        status=status,
        watched=xp.zeros_like(status, dtype=bool),
        least=beta**2,
        looks=xp.zeros_like(status),
    )


def advance(system: System, state: State) -> tuple[State, Record]:
    """Make one step (1)–(8) for every task that is still running."""
    xp = array_module(state.x)
    active = state.status == RUNNING
    lanczos, v, alpha, squared = _extend(system, state.lanczos, active)
    rotation, delta, gamma = _rotate(state.rotation, alpha, lanczos.beta)
    status = xp.where(active, _judge_step(gamma, rotation.size), state.status)
    moves = status == RUNNING
    gamma = xp.where(moves, gamma, 1)
    c, s = rotation.c / gamma, rotation.s / gamma
    w = (
        v - column(state.rotation.epsilon) * state.w_old - column(delta) * state.w
    )  # (6)
    w = w / column(gamma)
    x = xp.where(column(moves), state.x + column(c * state.phi) * w, state.x)  # (7)
    suspect = _hypot(rotation.c, rotation.delta_bar) <= _small(gamma) * rotation.size
    x, moves, watch = _watch(system, state, x, moves, suspect, rotation.size)
    phi = s * state.phi
    share = phi * c / xp.where(lanczos.beta > 0, lanczos.beta, 1)
    r = column(s**2) * state.r - column(share) * lanczos.u  # (8)
    r = xp.where(column(moves), r, state.r)
    judged = xp.where(moves, _judge(system, squared, r), int(Status.SINGULAR))
    status = xp.where(status == RUNNING, judged, status)
    record = Record(active, alpha, dot(v, v), lanczos.beta)
    rotation = rotation._replace(c=c, s=s)
    iterations = state.iterations + moves
    state = State(x, r, w, state.w, phi, lanczos, rotation, iterations, status, *watch)
    return state, record


def _watch(system: System, state: State, x: Array, moves, suspect, size):
    """Take back the steps of watched tasks that (9) does not allow.

    Returns:
        x, who moves, and the three that say who is watched.
    """
    xp = array_module(x)
    watched = state.watched | (moves & suspect)
    looked = watched & moves
    if not bool(looked.any()):
        return x, moves, (watched, state.phi**2, state.looks)
    s = system.b - product(system.matvec, x)
    left = dot(s, system.precondition(s))
    least = xp.where(state.watched, state.least, state.phi**2)
    worse = ~(left.real <= (1 + _small(left)) * least.real)
    rounding = x.shape[1] * xp.finfo(x.dtype).eps * size
    unseen = norm(s - state.r) <= rounding * norm(x - state.x)
    worse = looked & (worse | unseen)
    x = xp.where(column(worse), state.x, x)
    least = xp.where(looked & ~worse, left, least)
    return x, moves & ~worse, (watched, least, state.looks + looked)


def _small(a: Array) -> Any:
    """Return ε^(1/2) of (9) for arrays like a."""
    return array_module(a).finfo(a.dtype).eps ** 0.5


def _extend(system: System, lanczos: Lanczos, active: Array):
    """Make one step (1)–(3); return it, v, α and the sign of β_(k+1)²."""
    xp = array_module(lanczos.u)
    u, u_old, z, beta, beta_old = lanczos
    beta = xp.where(active, beta, 1)
    v = xp.where(column(active), z / column(beta), z.dtype.type(0))  # (1)
    q = product(system.matvec, v)
    alpha = dot(v, q)
    ratio = xp.where(active, beta / beta_old, 0)
    u_next = q - column(alpha / beta) * u - column(ratio) * u_old  # (2)
    z_next = system.precondition(u_next)  # (3)
    beta_next, squared = _length(u_next, z_next)
    return Lanczos(u_next, u, z_next, beta_next, beta), v, alpha, squared


def _rotate(old: Rotation, alpha: Array, beta: Array):
    """Return (4) and (5) with c γ and s γ in the places of c and s, and δ, γ."""
    xp = array_module(alpha)
    delta = old.c * old.delta_bar + old.s * alpha  # (4)
    gamma_bar = old.s * old.delta_bar - old.c * alpha
    gamma = _hypot(gamma_bar, beta)  # (5)
    size = xp.maximum(old.size, xp.abs(alpha) + beta)
    return Rotation(gamma_bar, beta, -old.c * beta, old.s * beta, size), delta, gamma


def _hypot(a: Array, b: Array) -> Array:
    """Return (a² + b²)^(1/2), (T,)."""
    xp = array_module(a)
    sides, unit = in_units(xp.stack([a, b], -1))
    return unit * xp.sqrt((sides * sides).sum(-1))


def _length(u: Array, z: Array) -> tuple[Array, Array]:
    """Return β of (3), (T,), and uᵀz in units of the size of u; β = 0 where it is < 0.

    u is of the size of A, and its square need not be in the range of a float.
    """
    xp = array_module(u)
    u, unit = in_units(u)
    squared = dot(u, z * column(1 / unit))
    return unit * xp.sqrt(xp.where(squared > 0, squared, 0)), squared


def _judge_step(gamma: Array, size: Array) -> Array:
    """Return the status that γ of (5) leads to, (T,): 0 to rounding divides nothing."""
    xp = array_module(gamma)
    regular = gamma > 4 * xp.finfo(gamma.dtype).eps * size
    status = xp.where(regular, int(RUNNING), int(Status.SINGULAR))
    return xp.where(xp.isfinite(gamma), status, int(Status.NOT_FINITE))


def _judge(system: System, squared: Array, r: Array) -> Array:
    """Return the status that β² of (3) and r of (8) lead to, (T,)."""
    xp = array_module(squared)
    residual = norm(r)
    # β = 0 at r = 0 is the end, and tested below.
    status = xp.where(squared > 0, int(RUNNING), int(Status.INDEFINITE_PRECONDITIONER))
    status = xp.where(xp.isfinite(squared), status, int(Status.NOT_FINITE))
    status = xp.where(residual <= system.tolerance, int(Status.CONVERGED), status)
    # An infinite b has an infinite tolerance.
    return xp.where(xp.isfinite(residual), status, int(Status.NOT_FINITE))
