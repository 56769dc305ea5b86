"""The oracle for small P: write the matrix out and factor it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arguments import Settings, setting, whole
from ..compute import Array, array_module, norm, to_host
from .info import SolverInfo, Status
from .system import Matvec, check_function, check_real, check_vectors, product


@dataclass(frozen=True)
class Dense(Settings):
    """Solve A x = b by LAPACK's LU, with A from P products: exact to rounding.

    It needs no definiteness.  The residual it reports is the true one, by one more
    product; ``smallest_ritz`` and ``smallest_rayleigh`` are the smallest eigenvalue of
    (A + Aᵀ)/2 itself, and ``negative_curvature`` counts the eigenvalues ≤ 0.

    Args:
        max_bytes: Most memory for the (T, P, P) matrix, in bytes.

    Raises:
        ValueError: If max_bytes is not a positive integer.
    """

    max_bytes: int = setting(whole(), 2**31)
    name: ClassVar[str] = "dense LU"

    def solve(
        self, matvec: Matvec, b: Array, M: Any = None
    ) -> tuple[Array, SolverInfo]:
        """Solve A x = b for every task; M has no effect on the solution, nor here.

        Raises:
            ValueError: If the matrix would exceed max_bytes, or a shape is wrong.
            TypeError: If b is not real and of floating type, or dtypes are mixed.
        """
        check_vectors("b", b)
        check_real(b)
        needed = b.shape[0] * b.shape[1] ** 2 * b.dtype.itemsize
        if needed > self.max_bytes:
            raise ValueError(
                f"Dense needs {needed / 2**30:.3g} GiB for {b.shape[0]} matrices of "
                f"{b.shape[1]} × {b.shape[1]}, allowed are "
                f"{self.max_bytes / 2**30:.3g} GiB; use CertifiedCG, or raise max_bytes"
            )
        check_function("matvec", matvec)
        A = to_host(dense_matrix(matvec, b))
        right = to_host(b)
        x = np.stack([_solve_one(A_t, b_t) for A_t, b_t in zip(A, right, strict=True)])
        x = array_module(b).asarray(x)
        residual = to_host(norm(b - product(matvec, x)))
        return x, _summary(A, right, to_host(x), residual)


def dense_matrix(matvec: Matvec, like: Array) -> Array:
    """Return the matrices of matvec, (T, P, P), from P products with unit vectors.

    Args:
        matvec: v ↦ A v, (T, P) -> (T, P).
        like: An array of the shape (T, P) and the dtype of v.
    """
    xp = array_module(like)
    A = xp.empty((*like.shape, like.shape[1]), dtype=like.dtype)
    for j in range(like.shape[1]):
        unit = xp.zeros_like(like)
        unit[:, j] = 1
        A[:, :, j] = product(matvec, unit)
    return A


def _solve_one(A, b):
    """Solve one system; zeros if LAPACK meets a pivot that is exactly zero."""
    try:
        return np.linalg.solve(A, b)
    except np.linalg.LinAlgError:
        return np.zeros_like(b)


def _summary(A, b, x, residual):
    """Return the info that the eigenvalues of (A + Aᵀ)/2 give."""
    T, P = b.shape
    known = np.isfinite(A).all((1, 2)) & np.isfinite(b).all(1)
    finite = known & np.isfinite(x).all(1)
    safe = np.where(known[:, None, None], A, 0).real.astype(np.float64)
    values = np.linalg.eigvalsh((safe + safe.transpose(0, 2, 1)) / 2)
    values[~known] = np.inf  # of what is not finite none is known
    size = np.abs(values).max(1)
    rounding = P * np.finfo(A.dtype).eps * size
    singular = np.abs(values).min(1) <= rounding
    status = np.where(singular, Status.SINGULAR, Status.CONVERGED)
    negative = (values <= 0).sum(1)
    return SolverInfo(
        status=np.where(finite, status, Status.NOT_FINITE),
        iterations=np.zeros(T, int),
        residual=residual,
        tolerance=np.zeros_like(residual),
        smallest_ritz=values[:, 0],
        smallest_rayleigh=values[:, 0],
        negative_curvature=negative,
        first_negative=np.where(negative > 0, values[:, 0], np.nan),
        first_negative_step=np.zeros(T, int),
        num_products=np.full(T, P + 1),
        measured=np.ones(T, dtype=bool),
    )
