"""λ, the strength of the proximal term, as a caller gives it and as it is used.

It divides: (5) is solved preconditioned with Λ⁻¹.  A λ that the dtype of θ rounds to
zero, or whose reciprocal it rounds to infinity, would make a failed solve of it, so the
check is made in that dtype, of both.
"""

from typing import Any

import numpy

from ..arguments import as_float, brief
from ..compute import Array, array_module, check_array


def proximal_strength(lam: Any, theta: Array, damping: float = 0.0) -> Any:
    """Return λ as a Python number, or as an array (P,) beside θ in its real dtype.

    Args:
        lam: λ.
        theta: θ, (P,).
        damping: What an estimator adds to λ.

    Raises:
        TypeError: If θ is no array.
        ValueError: If λ is not positive and finite, or has not the shape () or (P,), or
            if λ or its reciprocal is 0 or infinite in the dtype of θ.
    """
    check_array("θ", theta)
    lam = positive_strength("lam", lam)
    shape = getattr(lam, "shape", ())
    if shape not in ((), theta.shape):
        raise ValueError(
            f"lam must be a positive number or of shape {theta.shape}, "
            f"got shape {shape}"
        )
    check_held("lam", lam, theta)
    if damping:
        check_held("lam + damping", lam + damping, theta)
    if not shape:
        return lam
    dtype = None if lam.dtype.kind == "c" else theta.real.dtype
    return array_module(theta).asarray(lam, dtype=dtype)


def strength_if_any(lam: Any, theta: Array, damping: float = 0.0) -> Any:
    """Return λ likewise, and 0 for None, which has no proximal term."""
    return 0 if lam is None else proximal_strength(lam, theta, damping)


def positive_strength(name: str, lam: Any) -> Any:
    """Return λ as a Python number, or as an array as it is.

    Raises:
        ValueError: If it is not positive and finite, or no number.
    """
    array = lam if array_module(lam) is not numpy else numpy.asarray(lam)
    if array.dtype.kind != "c" and not array.ndim:
        array = numpy.asarray(as_float(lam))
    real, numeric = array.real, array.dtype.kind in "iufc"
    if not numeric or not bool((real > 0).all() and (real < float("inf")).all()):
        raise ValueError(
            f"{name} must be positive and finite: the inner problem (1) has no unique "
            "solution otherwise; got "
            f"{array.min() if array.ndim and numeric else brief(lam)}"
        )
    return array if array.ndim else array.item()


def check_held(name: str, lam: Any, theta: Array) -> None:
    """Refuse a λ that the dtype of θ does not hold, or not its reciprocal.

    Raises:
        ValueError: If one of them is 0 or infinite there.
    """
    dtype = numpy.result_type(theta.real.dtype, numpy.float16)
    with numpy.errstate(all="ignore"):
        there = array_module(lam).asarray(lam).real.astype(dtype)
        both = there, 1 / there
        held = [(a > 0) & (a < float("inf")) for a in both]
    if not bool((held[0] & held[1]).all()):
        got = f"{float(lam.real.min())} at least" if there.ndim else lam
        raise ValueError(
            f"{name} and its reciprocal must be neither 0 nor infinite in {dtype}, the "
            f"dtype of θ; got {got}; use another, or float64"
        )
