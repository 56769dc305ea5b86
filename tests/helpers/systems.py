"""Symmetric systems, one per task, with a known spectrum."""

from fractions import Fraction

import numpy as np

T, P = 3, 11


def symmetric(eigenvalues, rng):
    """Return a symmetric matrix (P, P) with these eigenvalues (P,)."""
    Q, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))
    A = (Q * eigenvalues) @ Q.T
    return (A + A.T) / 2


def positive_definite(conditions=(3.0, 30.0, 8.0), size=P, seed=0):
    """Return matrices (T, P, P) of these condition numbers and right-hand sides."""
    rng = np.random.default_rng(seed)
    spectra = [np.linspace(1, kappa, size) for kappa in conditions]
    A = np.stack([symmetric(s, rng) for s in spectra])
    return A, rng.normal(size=(len(A), size))


def indefinite(size=P, seed=0):
    """Return one matrix (1, P, P) with three negative eigenvalues, and b (1, P)."""
    rng = np.random.default_rng(seed)
    A = symmetric(np.r_[-3.0, -2.0, -0.5, np.linspace(1, 6, size - 3)], rng)
    return A[None], rng.normal(size=(1, size))


def ill_conditioned(seed):
    """Return a float32 matrix of condition 1e6 (30, 30) and b (30,)."""
    rng = np.random.default_rng(seed)
    A = symmetric(np.r_[np.logspace(-6, -5, 7), np.linspace(0.1, 1, 23)], rng)
    return A.astype("f"), rng.normal(size=30).astype("f")


def product_of(A):
    """Return v ↦ A v for A (T, P, P), every task computed by itself."""
    return lambda v: np.stack([A_t @ v_t for A_t, v_t in zip(A, v, strict=True)])


def solution(A, b):
    """Return A⁻¹ b by LAPACK in float64, (T, P)."""
    return np.linalg.solve(A.astype(float), b.astype(float)[..., None])[..., 0]


def residual(A, x, b):
    """Return ‖b − A x‖ in float64, (T,)."""
    A, x, b = A.astype(float), x.astype(float), b.astype(float)
    return np.linalg.norm(b - (A @ x[..., None])[..., 0], axis=-1)


def rational_cg(A, b, num_steps):
    """Return x after each step of textbook CG in rational arithmetic, as floats."""
    A = [[Fraction(float(a)) for a in row] for row in A]
    r = [Fraction(float(v)) for v in b]
    p, x, iterates = r, [Fraction(0)] * len(b), []
    for _ in range(num_steps):
        q = [inner(row, p) for row in A]
        alpha = inner(r, r) / inner(p, q)
        x = [u + alpha * v for u, v in zip(x, p, strict=True)]
        after = [u - alpha * v for u, v in zip(r, q, strict=True)]
        beta = inner(after, after) / inner(r, r)
        r, p = after, [u + beta * v for u, v in zip(after, p, strict=True)]
        iterates.append(np.array([float(u) for u in x]))
    return iterates


def inner(a, b):
    return sum((u * v for u, v in zip(a, b, strict=True)), Fraction(0))
