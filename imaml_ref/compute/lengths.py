"""Units in which a vector is of size 1, so that its square has no range to leave.

‖a‖² leaves the range of a float long before ‖a‖ does: in float32 below 1e-23 and above
1e19.  With u a power of two just above the largest |a_j|,

    ‖a‖ = u ‖a/u‖                                                                    (1)

and so for every product that is homogeneous in a.  Nothing is rounded by dividing by a
power of two: where the square was in range, (1) has the bits it had without u.
"""

from typing import Any

import numpy

from .backend import Array, array_module


def power_of_two(a: Array) -> Array:
    """Return u > 0 with ½ ≤ max |Re a_j|/u < 1: (..., P) -> (...).

    It is 1 where a is 0 or not finite, and so far from the ends of the range that 1/u
    is exact: vectors beside them are of size 1 but for a factor of 16.
    """
    real, xp = a.real, array_module(a)
    return powers_of_two(xp.maximum(real.max(-1), -real.min(-1)))


def powers_of_two(sizes: Array) -> Array:
    """Return such a u for each of some sizes ≥ 0, real."""
    xp = array_module(sizes)
    _, exponent = xp.frexp(xp.where(xp.isfinite(sizes), sizes, sizes.dtype.type(0)))
    most = xp.finfo(sizes.dtype).maxexp - 4
    return xp.ldexp(xp.ones_like(sizes), xp.minimum(xp.maximum(exponent, -most), most))


def in_units(a: Array) -> tuple[Array, Array]:
    """Return a/u and u: (..., P) -> (..., P), (...)."""
    u = power_of_two(a)
    return a * (1 / u)[..., None], u


def dot(a: Array, b: Array) -> Array:
    """Return aᵀb per task: (T, P), (T, P) -> (T,), as a product: one pass, no copy.

    Old kernels of OpenBLAS order a sum of float64 by whether its operands begin at a
    multiple of 16 bytes.  Rows of odd length do so in turns, and the bits of a task
    would depend on the tasks before it; NumPy's own sum does not look at addresses.
    """
    if a.dtype.itemsize == 8 and a.shape[1] % 2:
        return (a * b).sum(1)
    return (a[:, None, :] @ b[:, :, None])[:, 0, 0]


def norm(a: Array) -> Array:
    """Return ‖Re a‖₂ per task, by (1) where its square asks for it: (T, P) -> (T,)."""
    a, xp = a.real, array_module(a)
    if xp is numpy:
        with numpy.errstate(over="ignore"):
            square = dot(a, a)
        if not a.size or in_range(square.min(), square.max()):
            return numpy.sqrt(square)
    a, unit = in_units(a)
    return unit * xp.sqrt(dot(a, a))


def length(a: numpy.ndarray) -> numpy.floating:
    """Return ‖a‖ of a real vector on the host; (1) where its square asks for it."""
    square = a @ a
    if in_range(square, square):
        return numpy.sqrt(square)
    a, u = in_units(a)
    return u * numpy.sqrt(a @ a)


def in_range(least: Any, most: Any) -> bool:
    """Whether sums of squares between two have lost nothing to the range of a float."""
    kind = numpy.finfo(least.dtype)
    return bool(kind.tiny / kind.eps < least and most < kind.max)
