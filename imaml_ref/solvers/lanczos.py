"""Extreme eigenvalues from Krylov spaces.

After k steps of ``recurrence`` the vectors M^(1/2) r_j / √ρ_j are an orthonormal basis
of the Krylov space of M^(1/2) A M^(1/2), up to sign, and there that operator is the
tridiagonal matrix T with, for δ_j = 1/α_j = c_j / ρ_j,

    T_jj = δ_j + β_(j−1) δ_(j−1),   T_(j,j+1)² = β_j δ_j²                         (1)

It is L D Lᵀ with D = diag(δ_j): it holds for δ_j < 0 as well, and needs no step along
the last direction.  Its smallest eigenvalue, the smallest Ritz value, is never below
the smallest eigenvalue of the operator.

Source: Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., section 6.7.3.
"""

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal


def smallest_ritz_value(delta: np.ndarray, beta: np.ndarray) -> float:
    """Return the smallest eigenvalue of (1), in units of 1/α.

    Args:
        delta: c_j / ρ_j of k directions, (k,).
        beta: β_j of the same steps, (k,); the last one is not used.

    Returns:
        The value, or inf for k = 0.
    """
    if len(delta) == 0:
        return float("inf")
    diagonal = delta.copy()
    diagonal[1:] += beta[:-1] * delta[:-1]
    off_diagonal = np.sqrt(beta[:-1]) * delta[:-1]
    if len(delta) == 1:
        return float(diagonal[0])
    return float(
        eigvalsh_tridiagonal(diagonal, off_diagonal, select="i", select_range=(0, 0))[0]
    )
