"""A x = b for every task: what the caller gave, checked, in one form."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, array_module, check_array, to_host
from .options import check_choice, check_tolerance

Matvec = Callable[[Array], Array]
CONDUCTS = ("continue", "truncate", "refuse")


class System(NamedTuple):
    """A x = b for every task, and how to solve it.

    Args:
        matvec: v ↦ A v, (T, P) -> (T, P).
        precondition: r ↦ M r, likewise.
        b: (T, P).
        tolerance: On ‖r‖₂, in units of b, (T,).
        scale: M, where it is one number for each task, (T,) or (); else None.
        conduct: What to do at pᵀAp ≤ 0: one of ``CONDUCTS``.
    """

    matvec: Matvec
    precondition: Matvec
    b: Array
    tolerance: Array
    scale: Any
    conduct: str


def make_system(
    matvec: Matvec,
    b: Array,
    *,
    rtol: float,
    atol: float,
    M: Any = None,
    conduct: str = "continue",
) -> System:
    """Check b, M, the tolerances and the conduct, and put them together.

    Raises:
        ValueError: If a shape or an option is wrong.
        TypeError: If b is not of floating type, or M has another dtype.
    """
    check_right(b)
    rtol, atol = check_tolerance("rtol", rtol), check_tolerance("atol", atol)
    check_choice("on_negative_curvature", conduct, CONDUCTS)
    size = norm(b)
    tolerance = array_module(b).maximum(rtol * size, size.dtype.type(atol))
    return System(matvec, preconditioner(M, b), b, tolerance, constant(M), conduct)


def check_right(b: Array) -> None:
    """Refuse right-hand sides that are no (T, P) of floating type.

    Raises:
        ValueError: If the shape is wrong.
        TypeError: If it is no array, or the type.
    """
    check_array("b", b)
    if b.ndim != 2:
        raise ValueError(f"b must have shape (T, P), got {b.shape}")
    if b.dtype.kind not in "fc":
        raise TypeError(f"b must be of floating type, got {b.dtype}")


def preconditioner(M: Any, b: Array) -> Matvec:
    """Return r ↦ M r for M a function, a diagonal, a number, or None.

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
    if M.ndim > 2 or np.broadcast_shapes(M.shape, b.shape) != b.shape:
        raise ValueError(f"M of shape {M.shape} must broadcast to b's {b.shape}")
    return lambda r: M * r


def constant(M: Any) -> Any:
    """Return M as one number for each task, (T,) or (); None if it is not."""
    if M is None:
        return 1.0
    if callable(M):
        return None
    if np.ndim(M) == 0:
        return float(M)
    return to_host(M)[..., 0] if M.shape[-1] == 1 else None


def start(system: System, x0: Array | None) -> tuple[Array, Array]:
    """Return x₀ and its residual; no product for x₀ = 0.

    Raises:
        ValueError: If x0 has not the shape of b.
        TypeError: If x0 has another dtype than b.
    """
    b = system.b
    xp = array_module(b)
    if x0 is None:
        return xp.zeros(b.shape, dtype=b.dtype), xp.ascontiguousarray(b)
    check_array("x0", x0)
    if x0.shape != b.shape:
        raise ValueError(f"x0 must have the shape of b, {b.shape}, got {x0.shape}")
    if x0.dtype != b.dtype:
        raise TypeError(f"x0 must be {b.dtype}, like b, got {x0.dtype}")
    # A relative tolerance on b = 0 is met by x = 0 only.
    x0 = xp.where(column(norm(b) == 0), xp.zeros_like(b), x0)
    # Adding 0 turns −0 into 0, as every step of length 0 would.
    x0 = xp.ascontiguousarray(x0) + b.dtype.type(0)
    return x0, b - product(system.matvec, x0)


def product(matvec: Matvec, v: Array) -> Array:
    """Return matvec(v), having checked that it is an array like v.

    Raises:
        ValueError: If its shape is not that of v.
        TypeError: If its dtype is not that of v.
    """
    q = matvec(v)
    check_array("what matvec returns", q)
    if q.shape != v.shape:
        raise ValueError(f"matvec must return shape {v.shape}, like v, got {q.shape}")
    if q.dtype != v.dtype:
        raise TypeError(
            f"matvec must return {v.dtype}, like b, got {q.dtype}; "
            "give b and the operator one dtype"
        )
    # The order of a sum, hence its bits, depends on the layout.
    return array_module(q).ascontiguousarray(q)


def dot(a: Array, b: Array) -> Array:
    """Return aᵀb per task: (T, P), (T, P) -> (T,), as a product: one pass, no copy."""
    return (a[:, None, :] @ b[:, :, None])[:, 0, 0]


def norm(a: Array) -> Array:
    """Return ‖a‖₂ per task, real: (T, P) -> (T,)."""
    return array_module(a).sqrt(dot(a, a).real)


def column(a: Array) -> Array:
    """Line a (T,) array up with (T, P)."""
    return a[:, None]


def cleared(a: Array, ended: Array) -> Array:
    """Return (T, P) with zeros for the tasks of a mask (T,); the array may be reused.

    A device counts the entries of a mask for the host, so there it is a choice.
    """
    xp = array_module(a)
    if xp is not np:
        return xp.where(column(ended), a.dtype.type(0), a)
    a[ended] = 0
    return a
