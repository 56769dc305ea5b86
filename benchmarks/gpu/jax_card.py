"""JAX on a card: the meta-step of all tasks as one compiled function, by ``vmap``.

With patches the net is that of ``shared.jax_net``; with convolutions it is the same one
with XLA's own.
"""

from functools import partial

import jax
from jax import numpy as jnp

from ..shared import jax_net
from ..shared.jax_task import task_gradient
from ..shared.problem import Contender, Problem

LAYOUT = ("NHWC", "HWIO", "NHWC")


def build(
    problem: Problem, device: str, patches: bool = False, tf32: bool = False
) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        device: Where; JAX takes a card by itself.
        patches: Whether convolutions are products with patches.
        tf32: Whether products may take TF32.
    """
    # Left to itself JAX takes TF32 for products in float32 on a card.
    precision = "tensorfloat32" if tf32 else "float32"
    jax.config.update("jax_default_matmul_precision", precision)
    theta, tasks = jax.device_put(jax_net.data(problem), jax.devices(device)[0])
    net = {} if patches else {"loss": loss, "images": lambda x: x}
    each = jax.jit(jax.vmap(task_gradient(problem, **net), (None, 0)))

    @jax.jit
    def mean(theta, tasks):
        return jax.tree.map(lambda g: g.mean(0), each(theta, tasks))

    return Contender(
        lambda: jax.block_until_ready(mean(theta, tasks)),
        lambda: jax.block_until_ready(each(theta, tasks)),
        partial(jax_net.ours, problem.ways),
    )


def logits(params, x):
    """Return the outputs (N, ways) for images (N, 28, 28, 1)."""
    for block in range(1, 5):
        x = jax.lax.conv_general_dilated(
            x,
            params[f"conv{block}.kernel"],
            (2, 2),
            ((1, 1), (1, 1)),
            dimension_numbers=LAYOUT,
        )
        x = jax_net.normalised(x)
        x = x * params[f"norm{block}.gamma"] + params[f"norm{block}.beta"]
        x = jax.nn.relu(x)
        x = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))) if block == 2 else x
    x = x.reshape(len(x), -1)
    return x @ params["head.kernel"] + params["head.bias"]


def loss(params, x, y):
    """Return the mean cross-entropy of a task."""
    chances = jax.nn.log_softmax(logits(params, x))
    return -jnp.take_along_axis(chances, y[:, None], 1).mean()
