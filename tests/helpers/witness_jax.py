"""Equation (5) of docs/mathematics.md by automatic differentiation: a witness in JAX.

None of our layers, losses, products with H or solvers is in it; the network, the loss
and the data come with the task (``conformance.adapter.Task``).
"""

import warnings
from functools import partial

import jax
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

DOWNHILL, POLISH = 200, 3


@partial(jax.jit, static_argnums=(0, 1, 2))
def derivatives(apply, loss, unravel, phi, x, y):
    """Return L, ∇L and ∇²L at a flat φ."""

    def of(p):
        return loss(apply(unravel(p), x), y)

    return of(phi), jax.grad(of)(phi), jax.hessian(of)(phi)


@partial(jax.jit, static_argnums=(0, 1, 2))
def slope(apply, loss, unravel, phi, x, y):
    """Return ∇L at a flat φ."""
    return jax.grad(lambda p: loss(apply(unravel(p), x), y))(phi)


def minimum(at, theta, lam):
    """Return the minimum of G downhill of θ, by Newton's method.

    Eigenvalues are made positive and steps halved until G falls enough; the last steps
    are Newton's own.
    """

    def G(phi):
        L, grad, H = at(phi)
        pull = lam * (phi - theta)
        return L + pull @ (phi - theta) / 2, grad + pull, H + jnp.diag(lam)

    phi = theta
    value, grad, H = G(phi)
    for _ in range(DOWNHILL):
        e, V = jnp.linalg.eigh(H)
        step = -V @ ((V.T @ grad) / jnp.maximum(abs(e), 1e-3))
        while G(phi + step)[0] > value + 0.1 * grad @ step + 1e-15:
            step = step / 2
        phi = phi + step
        value, grad, H = G(phi)
        if jnp.linalg.norm(grad) < 1e-9:
            break
    for _ in range(POLISH):
        _, grad, H = G(phi)
        phi = phi - jnp.linalg.solve(H, grad)
    return phi


def implicit(task):
    """Return g = Λ (H + Λ)⁻¹ ∇Q, H = ∇²L, at φ or at the solution of (1)."""
    theta, unravel = ravel_pytree(task.theta)
    lam = task.lam if isinstance(task.lam, float) else ravel_pytree(task.lam)[0]
    lam = lam * jnp.ones_like(theta)
    net = task.model, task.loss, unravel
    at = lambda phi: derivatives(*net, phi, *task.support)  # noqa: E731
    phi = minimum(at, theta, lam) if task.phi is None else ravel_pytree(task.phi)[0]
    _, grad, H = at(phi)
    pull = lam * (phi - theta)
    if jnp.linalg.norm(grad + pull) > 1e-6 * jnp.linalg.norm(pull):
        warnings.warn("φ is not stationary", stacklevel=2)
    A = H + jnp.diag(lam)
    if jnp.linalg.eigvalsh(A)[0] <= 0:
        warnings.warn("H + Λ is not positive definite", stacklevel=2)
    return unravel(lam * jnp.linalg.solve(A, slope(*net, phi, *task.query)))
