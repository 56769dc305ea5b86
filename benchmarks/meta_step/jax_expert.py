"""JAX as an expert writes it for a CPU: task after task, spread over host devices.

Patches and products in place of convolutions, ∇L linearised once per task, a loop over
tasks whose intermediate arrays stay in the cache, one compiled function for the whole
meta-step.  With several devices each takes a share of the tasks (``shard_map``).
"""

from functools import partial

import jax
import numpy as np
from jax import numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..shared.jax_net import data, ours, plus
from ..shared.jax_task import task_gradient
from ..shared.problem import Contender, Problem


def build(problem: Problem, sharded: bool = False) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        sharded: Whether there is a device for each thread, in place of one for all.
    """
    count = problem.threads if sharded else 1
    jax.config.update("jax_num_cpu_devices", count)
    mesh = Mesh(np.array(jax.devices()), ("tasks",))
    split, same = PartitionSpec("tasks"), PartitionSpec()
    theta, tasks = data(problem)
    tasks = jax.device_put(tasks, NamedSharding(mesh, split))
    theta = jax.device_put(theta, NamedSharding(mesh, same))
    gradient = task_gradient(problem)

    def total(theta, tasks):
        # Its own copy: the gradient of what devices share is summed over them.
        theta = jax.lax.pcast(theta, "tasks", to="varying")

        def add(sum_so_far, task):
            return plus(sum_so_far, 1, gradient(theta, task)), None

        zero = jax.tree.map(jnp.zeros_like, theta)
        return jax.lax.psum(jax.lax.scan(add, zero, tasks)[0], "tasks")

    def each(theta, tasks):
        theta = jax.lax.pcast(theta, "tasks", to="varying")
        return jax.lax.map(partial(gradient, theta), tasks)

    def on_devices(f, out):
        return jax.jit(
            jax.shard_map(f, mesh=mesh, in_specs=(same, split), out_specs=out)
        )

    step, rows = on_devices(total, same), on_devices(each, split)
    share = 1 / len(problem)
    return Contender(
        lambda: jax.tree.map(lambda g: share * g, jax.device_get(step(theta, tasks))),
        lambda: jax.device_get(rows(theta, tasks)),
        partial(ours, problem.ways),
    )
