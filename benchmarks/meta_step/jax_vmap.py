"""JAX with ``vmap`` over all tasks: the meta-step as one compiled function."""

from functools import partial

import jax

from ..shared.jax_net import data, ours
from ..shared.jax_task import task_gradient
from ..shared.problem import Contender, Problem


def build(problem: Problem) -> Contender:
    """Return the contender."""
    theta, tasks = jax.device_put(data(problem))
    each = jax.vmap(task_gradient(problem), (None, 0))

    @jax.jit
    def mean(theta, tasks):
        return jax.tree.map(lambda g: g.mean(0), each(theta, tasks))

    return Contender(
        lambda: jax.device_get(mean(theta, tasks)),
        lambda: jax.device_get(jax.jit(each)(theta, tasks)),
        partial(ours, problem.ways),
    )
