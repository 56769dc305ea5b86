"""Extreme eigenvalues from Krylov spaces.

After k steps of ``recurrence`` the vectors M^(1/2) r_j / √ρ_j are an orthonormal basis
of the Krylov space of M^(1/2) A M^(1/2), up to sign, and there that operator is the
tridiagonal matrix T with, for δ_j = 1/α_j = c_j / ρ_j,

    T_jj = δ_j + β_(j−1) δ_(j−1),   T_(j,j+1)² = β_j δ_j²                         (1)

It is L D Lᵀ with D = diag(δ_j): it holds for δ_j < 0 as well, and needs no step along
the last direction.  Its smallest eigenvalue, the smallest Ritz value, is in exact
arithmetic never below the smallest eigenvalue of the operator, λ_min; with rounding it
can be, by about ε times the largest one: in float32 at κ = 5e7 it may be negative.

Source: Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., section 6.7.3.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh_tridiagonal, eigvalsh_tridiagonal

from ..compute import Array, array_module, dot, norm, power_of_two, to_host
from .system import (
    STEPS,
    TOLERANCE,
    check_function,
    check_vectors,
    column,
    product,
)

MOST_DENSE = 32  # rows: until there one call for all tasks is faster than one for each


def smallest_ritz_values(delta: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return the smallest eigenvalue of (1) for many tasks, in units of 1/α.

    Args:
        delta: c_j / ρ_j of k directions, (T, k).
        beta: β_j of the same steps, (T, k); the last one is not used.

    Returns:
        The values, (T,); inf for k = 0.
    """
    if not delta.shape[1]:
        return np.full(len(delta), np.inf)
    unit = power_of_two(delta)  # LAPACK squares what it gets
    return unit * smallest_in_units(delta / unit[:, None], beta)


def smallest_in_units(delta: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return the smallest eigenvalues of (1), k > 0, where δ is of size 1."""
    diagonal = delta.copy()
    diagonal[:, 1:] += beta[:, :-1] * delta[:, :-1]
    off_diagonal = np.sqrt(beta[:, :-1]) * delta[:, :-1]
    if 2 <= delta.shape[1] <= MOST_DENSE:
        return smallest_of_dense(diagonal, off_diagonal)
    pairs = zip(diagonal, off_diagonal, strict=True)
    return np.array([smallest_of_tridiagonal(d, e) for d, e in pairs])


def smallest_of_dense(diagonal: np.ndarray, off_diagonal: np.ndarray) -> np.ndarray:
    """Return the smallest eigenvalues of tridiagonal matrices, (T,), in one call.

    Args:
        diagonal: (T, k).
        off_diagonal: (T, k − 1).
    """
    k = diagonal.shape[1]
    T, i = np.zeros((*diagonal.shape, k)), np.arange(k)
    T[:, i, i] = diagonal
    T[:, i[1:], i[:-1]] = off_diagonal
    return np.linalg.eigvalsh(T)[:, 0]  # which reads the lower triangle


def smallest_of_tridiagonal(diagonal: np.ndarray, off_diagonal: np.ndarray) -> float:
    """Return the smallest eigenvalue of a symmetric tridiagonal matrix.

    Args:
        diagonal: (k,).
        off_diagonal: (k − 1,).

    Returns:
        The value, or inf for k = 0.
    """
    if len(diagonal) < 2:
        return float(diagonal.min(initial=np.inf))
    values = eigvalsh_tridiagonal(
        diagonal, off_diagonal, select="i", select_range=(0, 0)
    )
    return float(values[0])


def pivots(diagonal: np.ndarray, off_diagonal: np.ndarray) -> np.ndarray:
    """Return D of T = L D Lᵀ for many tridiagonal matrices; a pivot 0 passes for −0.

    As many pivots as eigenvalues are negative, by Sylvester's law of inertia; and in
    (1) they are the δ_j of CG.

    Args:
        diagonal: (k, T).
        off_diagonal: (k, T), the last row not used.
    """
    squared = off_diagonal**2
    least = np.finfo(np.float64).tiny * max(1.0, squared.max(initial=0.0))
    delta = diagonal.copy()
    for j in range(1, len(delta)):
        safe = np.where(np.abs(delta[j - 1]) <= least, -least, delta[j - 1])
        delta[j] -= squared[j - 1] / safe
    return delta


def smallest_eigenvalue(
    matvec: Callable[[Array], Array],
    start: Array,
    *,
    maxiter: int = 100,
    rtol: float = 1e-8,
) -> tuple[np.ndarray, np.ndarray]:
    """Return λ_min(A) for every task, by Lanczos with full reorthogonalisation.

    With V = (v_1 … v_k) orthonormal, A V = V T + η v_(k+1) e_kᵀ, so for an eigenpair
    (ϑ, y) of T

        ‖A V y − ϑ V y‖ = η |y_k|                                                    (2)

    and an eigenvalue of A lies that close to ϑ.  But for rounding, about ε ‖A‖ in the
    dtype of ``start``, ϑ is never below λ_min, and reaches it unless ``start`` is
    orthogonal to its eigenvector: a random start is safe.

    Args:
        matvec: v ↦ A v, (T, P) -> (T, P), symmetric for each task.
        start: (T, P), not zero; the memory is that of ``maxiter`` such arrays.
        maxiter: Most products, at most P are made.
        rtol: Stop when (2) is below rtol |ϑ| for every task, without unit.

    Returns:
        ϑ (T,) and the bound (2) on its distance to an eigenvalue (T,), float64, in
        units of A.

    Raises:
        ValueError: If an option or a shape is wrong, or a start is zero.
        TypeError: If ``start`` is not of floating type, or dtypes are mixed.

    Source: Saad, Numerical Methods for Large Eigenvalue Problems, 2nd ed., sections
    6.6 and 6.6.2; (2) is its proposition 6.8.
    """
    STEPS("maxiter", maxiter)
    TOLERANCE("rtol", rtol)
    check_vectors("start", start)
    check_function("matvec", matvec)
    size = norm(start)
    if not (size > 0).all():
        raise ValueError("start must be a finite vector other than 0 for every task")
    basis, alphas, etas = [start / column(size)], [], []
    for _ in range(min(maxiter, start.shape[1])):
        w, alpha, eta = _extend(matvec, basis)
        alphas.append(to_host(alpha))
        etas.append(to_host(eta))
        value, error = _smallest_pairs(np.array(alphas), np.array(etas))
        if (error <= rtol * np.abs(value)).all():
            break
        xp = array_module(eta)
        basis.append(w / column(xp.where(eta > 0, eta, 1)))
    return value, error


def _extend(matvec, basis):
    """Return A v_k made orthogonal to the basis, α_k and η of the Lanczos process."""
    w = product(matvec, basis[-1])
    alpha = dot(basis[-1], w)
    for v in 2 * basis:  # once more, since the first pass leaves rounding behind
        w = w - column(dot(v, w)) * v
    return w, alpha, norm(w)


def _smallest_pairs(alphas, etas):
    """Return ϑ and (2) for every task from α and η, (k, T)."""
    pairs = [_smallest_pair(a, e) for a, e in zip(alphas.T, etas.T, strict=True)]
    value, error = np.array(pairs, dtype=np.float64).T
    return value, error


def _smallest_pair(alpha, eta):
    """Return ϑ and (2) for one task from α and η, (k,), up to the first η that is 0."""
    negligible = np.finfo(eta.dtype).eps * (np.abs(alpha) + eta).max()
    closed = np.flatnonzero(eta <= negligible)
    k = closed[0] + 1 if len(closed) else len(eta)
    if k == 1:
        return alpha[0], eta[0]
    alpha, eta = alpha[:k].astype(np.float64), eta[:k].astype(np.float64)
    unit = power_of_two(np.abs(alpha) + eta)  # LAPACK squares what it gets
    values, vectors = eigh_tridiagonal(
        alpha / unit, eta[:-1] / unit, select="i", select_range=(0, 0)
    )
    return values[0] * unit, eta[-1] * abs(vectors[-1, 0])
