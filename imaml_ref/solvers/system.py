"""A x = b for every task: what the caller gave, checked, in one form."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arguments import number, one_of, optional, whole
from ..compute import Array, array_module, check_array, dot, in_units, norm
from .info import Status

Matvec = Callable[[Array], Array]
CONDUCTS = ("continue", "truncate", "refuse")
# Checks of options: a tolerance, a conduct, steps (None for the solver's own default).
TOLERANCE, CONDUCT, STEPS = number("[0, inf)"), one_of(CONDUCTS), optional(whole())


class System(NamedTuple):
    """A x = b for every task, and how to solve it.

    b and x are in units of u, a power of two near the first residual, M in units of m,
    one near its largest entry: then no square of theirs leaves the range of a float.

    Args:
        matvec: v ↦ A v, (T, P) -> (T, P).
        precondition: r ↦ M r, likewise, in units of m.
        b: (T, P), in units of u.
        x0: Where to start, (T, P), in units of u.
        r0: b − A x₀, (T, P), in units of u.
        tolerance: On ‖r‖₂, in units of u, (T,).
        unit: u, in units of b, (T,).
        unit_M: m, in units of M, () or (T,).
        scale: What Ritz values of ``precondition`` are divided by, () or (T,): M in
            units of m, if it is one number for each task; else 1/m.
        conduct: What to do at pᵀAp ≤ 0: one of ``CONDUCTS``.
    """

    matvec: Matvec
    precondition: Matvec
    b: Array
    x0: Array
    r0: Array
    tolerance: Array
    unit: Array
    unit_M: Any
    scale: Any
    conduct: str


def make_system(
    matvec: Matvec,
    b: Array,
    x0: Array | None = None,
    *,
    rtol: float,
    atol: float,
    M: Any = None,
    conduct: str = "continue",
) -> System:
    """Check b, x₀, M, the tolerances and the conduct, and put them together.

    Raises:
        ValueError: If a shape or an option is wrong.
        TypeError: If b is not real and of floating type, or M or x0 has another dtype.
    """
    check_vectors("b", b)
    check_real(b)
    check_function("matvec", matvec)
    rtol, atol = TOLERANCE("rtol", rtol), TOLERANCE("atol", atol)
    CONDUCT("on_negative_curvature", conduct)
    xp = array_module(b)
    at_zero = x0 is None
    x0, r0 = start(matvec, b, x0)
    r0, unit = in_units(r0)
    # Of x₀ = 0 b is r₀, which has its unit already.
    b, x0 = (r0, x0) if at_zero else (a * column(1 / unit) for a in (b, x0))
    length = xp.sqrt(dot(b, b).real) if at_zero else norm(b)
    # An atol far above u may be infinite in units of it, and then is met.
    with np.errstate(over="ignore"):
        tolerance = xp.maximum(rtol * length, unit.dtype.type(atol) / unit)
    M, unit_M, scale = strength(M, b)
    return System(
        matvec, preconditioner(M), b, x0, r0, tolerance, unit, unit_M, scale, conduct
    )


def check_vectors(name: str, a: Any) -> None:
    """Require an array (T, P) of floating type, with something in it.

    Raises:
        ValueError: If its shape is another.
        TypeError: If it is no array, or of another type.
    """
    check_array(name, a)
    if len(a.shape) != 2 or 0 in a.shape:
        raise ValueError(f"{name} must have shape (T, P), got {a.shape}")
    if a.dtype.kind not in "fc":
        raise TypeError(f"{name} must be of floating type, got {a.dtype}")


def check_function(name: str, f: Any) -> None:
    """Require a function.

    Raises:
        TypeError: If it cannot be called.
    """
    if not callable(f):
        raise TypeError(
            f"{name} must be a function of vectors (T, P), got {type(f).__name__}"
        )


def check_real(b: Array) -> None:
    """Require b real; or complex with the imaginary part of a complex step.

    That one is a derivative, and nothing is compared with it.  The square of its length
    must not be seen beside that of the real part.

    Raises:
        TypeError: If it is complex in earnest.
    """
    if b.dtype.kind == "c":
        least = array_module(b).finfo(b.dtype).eps ** 0.5
        if bool((norm(b.imag) > least * norm(b.real)).any()):
            raise TypeError(
                f"b must be real, got {b.dtype} with an imaginary part that is no "
                "complex step; solve for both parts, or use imaml_ref.cg"
            )


def strength(M: Any, b: Array) -> tuple[Any, Any, Any]:
    """Return M in units of m, m, and what Ritz values are divided by.

    A function is left as it is: m = 1.

    Raises:
        ValueError: If the diagonal does not broadcast to the shape of b.
        TypeError: If the diagonal is no number, or has another dtype than b.
    """
    if M is None or callable(M):
        return M, 1.0, 1.0
    if isinstance(M, str) or (np.ndim(M) > 0 and not hasattr(M, "dtype")):
        raise TypeError(
            "M must be a number, an array or a function of vectors, "
            f"got {type(M).__name__}"
        )
    if np.ndim(M) == 0:
        if np.iscomplexobj(M) and b.dtype.kind != "c":
            raise TypeError(f"M must be real, like b, got {M}")
        M = b.dtype.type(M)
        M, unit = in_units(M[None])
        return M[0], unit, M[0]
    if M.dtype != b.dtype:
        raise TypeError(f"M must be {b.dtype}, like b, got {M.dtype}")
    if M.ndim > 2 or np.broadcast_shapes(M.shape, b.shape) != b.shape:
        raise ValueError(f"M of shape {M.shape} must broadcast to b's {b.shape}")
    M, unit = in_units(M)
    return M, unit, M[..., 0] if M.shape[-1] == 1 else 1 / unit


def preconditioner(M: Any) -> Matvec:
    """Return r ↦ M r for M a function, a diagonal, a number, or None."""
    if M is None:
        return lambda r: r
    return (lambda r: product(M, r)) if callable(M) else lambda r: M * r


def start(matvec: Matvec, b: Array, x0: Array | None) -> tuple[Array, Array]:
    """Return x₀ and its residual; no product for x₀ = 0.

    Raises:
        ValueError: If x0 has not the shape of b.
        TypeError: If x0 has another dtype than b.
    """
    xp = array_module(b)
    if x0 is None:
        return xp.zeros(b.shape, dtype=b.dtype), xp.ascontiguousarray(b)
    check_vectors("x0", x0)
    if x0.shape != b.shape:
        raise ValueError(f"x0 must have the shape of b, {b.shape}, got {x0.shape}")
    if x0.dtype != b.dtype:
        raise TypeError(f"x0 must be {b.dtype}, like b, got {x0.dtype}")
    # A relative tolerance on b = 0 is met by x = 0 only.
    x0 = xp.where(column(norm(b) == 0), xp.zeros_like(b), x0)
    # Adding 0 turns −0 into 0, as every step of length 0 would.
    x0 = xp.ascontiguousarray(x0) + b.dtype.type(0)
    return x0, b - product(matvec, x0)


def solution(system: System, x: Array, status: Array) -> tuple[Array, Array]:
    """Return x (T, P) in units of b, and the status: what overflows has no digits."""
    xp = array_module(x)
    x = x * column(system.unit)
    finite = xp.isfinite(x).all(-1)
    return x, xp.where(finite, status, int(Status.NOT_FINITE))


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
