"""The inner problem of a task in JAX, for libraries that are given functions.

G(φ, θ) = L(φ) + ½ Σ λ (φ − θ)²        inner
Q(φ)                                   outer
"""

import jax
from jax import numpy as jnp


class Problem:
    """L, Q and G of a task as functions of trees of arrays.

    Args:
        task: A ``Task`` of ``imaml_ref.conformance.adapter``.
    """

    def __init__(self, task):
        self.task, self.theta, self.lam = task, task.theta, task.lam
        if not isinstance(self.lam, dict):
            self.lam = jax.tree.map(lambda a: jnp.full_like(a, task.lam), self.theta)

    def loss(self, phi, examples):
        """Return ℓ(f(φ, x), y)."""
        x, y = examples
        return self.task.loss(self.task.model(phi, x), y)

    def outer(self, phi):
        """Return Q(φ)."""
        return self.loss(phi, self.task.query)

    def inner(self, phi, theta):
        """Return G(φ, θ)."""
        pulls = jax.tree.map(
            lambda lam, p, t: (lam * (p - t) ** 2).sum(), self.lam, phi, theta
        )
        pull = sum(jax.tree.leaves(pulls)) / 2
        return self.loss(phi, self.task.support) + pull

    def slope(self, phi, theta):
        """Return ∇G in φ."""
        return jax.grad(self.inner)(phi, theta)
