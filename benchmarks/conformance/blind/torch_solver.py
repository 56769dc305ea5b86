"""Conjugate gradients in PyTorch.  Here to be broken, as program_torch is."""

import torch


class NotPositiveDefiniteError(ArithmeticError):
    """H + Λ, or A, has a negative eigenvalue."""


def conjugate_gradients(product, b):
    """Return x with A x = b; restarts until the residual is at rounding.

    Raises:
        NotPositiveDefiniteError: If pᵀ A p is not positive.
    """
    x, best = torch.zeros_like(b), torch.inf
    for _ in range(3):
        r = b - product(x) if x.any() else b.clone()
        if not r.norm() < 0.5 * best:
            break
        best = r.norm()
        x = x + krylov(product, r, 2 * len(b))
    return x


def krylov(product, b, maxiter):
    """Return x after at most maxiter steps of conjugate gradients from zero."""
    x, r = torch.zeros_like(b), b.clone()
    p, rho = r.clone(), r @ r
    stop = 1e-30 * rho
    for _ in range(maxiter):
        if rho <= stop:
            break
        image = product(p)
        curvature = p @ image
        if curvature <= 0:
            raise NotPositiveDefiniteError(f"pᵀAp = {float(curvature):.3g} in CG")
        alpha = rho / curvature
        x = x + alpha * p
        r = r - alpha * image
        rho, before = r @ r, rho
        p = r + rho / before * p
    return x
