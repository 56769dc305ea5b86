"""Conjugate gradients for libraries that have none: on tensors of PyTorch or JAX."""


def conjugate_gradients(product, b, steps):
    """Return x after so many steps from 0 towards A x = b, A of each row its own.

    Args:
        product: v ↦ A v.
        b: Right-hand sides, (..., P).
        steps: How many.
    """
    x, r, p, rr = 0 * b, b, b, dot(b, b)
    for _ in range(steps):
        Ap = product(p)
        alpha = rr / dot(p, Ap)
        x = x + alpha * p
        r = r - alpha * Ap
        before, rr = rr, dot(r, r)
        p = r + (rr / before) * p
    return x


def dot(a, b):
    """Return the inner product of each row, (..., 1)."""
    return (a * b).sum(-1, keepdims=True)
