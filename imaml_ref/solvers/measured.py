"""What is said of an x that no Krylov space has found: its true residual."""

from typing import Any

import numpy as np

from ..arguments import brief
from ..compute import Array, array_module, norm, read
from .info import SolverInfo, Status
from .system import System, product, solution, strength


def measured(system: System, x: Array, status: Array, iterations: Array, products: Any):
    """Return x (T, P), which is in units of the system, and its SolverInfo.

    It makes one product beside ``products``, (T,) or a number.  ``status``, (T,), is
    that of the tasks whose true residual does not pass; what has converged then
    stagnates.  ``iterations``, (T,), changed x.
    """
    xp = array_module(x)
    true = norm(system.b - product(system.matvec, x))
    bad = xp.where(status == int(Status.CONVERGED), int(Status.STAGNATION), status)
    status = xp.where(true <= system.tolerance, int(Status.CONVERGED), bad)
    status = xp.where(xp.isfinite(true), status, int(Status.NOT_FINITE))
    x, status = solution(system, x, status)
    residuals = true * system.unit, system.tolerance * system.unit
    return x, read(told, status, iterations, *residuals, products)


def told(status, iterations, residual, tolerance, products) -> SolverInfo:
    """Return the SolverInfo of what ``measured`` reads: of curvature it knows none."""
    unknown, none = np.full(len(status), np.inf), np.zeros(len(status), dtype=int)
    return SolverInfo(  # in the order of its fields
        *(status, iterations, residual, tolerance, unknown, unknown, none),
        *(np.nan * unknown, none, none + products + 1, none == 0),
    )


def inverse_strength(M: Any, b: Array) -> Array:
    """Return M = Λ⁻¹, by which A = H + Λ is taken apart, as an array like b.

    Raises:
        ValueError: If it is no diagonal, does not broadcast, or is not positive.
        TypeError: If b is complex: eigenvectors let no complex step through.
    """
    if b.dtype.kind == "c":
        raise TypeError(
            f"b must be real here, got {b.dtype}; use CG for a complex step"
        )
    if M is not None and not callable(M):
        strength(M, b)
        M = array_module(b).asarray(M, dtype=b.dtype)
        if bool((M > 0).all()):
            return M
    raise ValueError(f"M must be Λ⁻¹ of A = H + Λ, positive numbers, got {brief(M)}")
