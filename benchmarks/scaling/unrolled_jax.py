"""MAML in JAX, through all inner steps by ``grad``, one task after the other.

One compiled function for the whole meta-step; the scan over inner steps keeps what its
reverse needs, so memory grows with the number of steps, for one task at a time.
"""

from functools import partial

import jax
from jax import numpy as jnp

from ..shared.jax_net import data, loss, ours, patches, plus
from ..shared.problem import Contender, Problem


def build(problem: Problem) -> Contender:
    """Return the contender; ``step`` returns the mean gradient."""
    theta, tasks = jax.device_put(data(problem))
    gradient = jax.grad(partial(query_loss, problem))

    @jax.jit
    def mean(theta, tasks):
        def add(so_far, task):
            return plus(so_far, 1 / len(problem), gradient(theta, task)), None

        return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, theta), tasks)[0]

    @jax.jit
    def rows(theta, tasks):
        return jax.lax.map(partial(gradient, theta), tasks)

    return Contender(
        lambda: jax.device_get(mean(theta, tasks)),
        lambda: jax.device_get(rows(theta, tasks)),
        partial(ours, problem.ways),
    )


def query_loss(problem: Problem, theta, task):
    """Return Q(φ_K(θ)) of one task."""
    support_x, support_y, query_x, query_y = task
    support, alpha = patches(support_x), problem.step_size

    def inner_step(phi, _):
        slope = jax.grad(loss)(phi, support, support_y)
        along = plus(slope, problem.lam, plus(phi, -1, theta))
        return plus(phi, -alpha, along), None

    phi, _ = jax.lax.scan(inner_step, theta, length=problem.inner_steps)
    return loss(phi, patches(query_x), query_y)
