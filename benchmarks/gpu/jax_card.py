"""JAX on a card: the meta-step of all tasks as one compiled function, by ``vmap``.

With patches the net is that of ``shared.jax_net``; with convolutions it is the same one
with XLA's own.
"""

from functools import partial

import jax

from ..shared import jax_net
from ..shared.jax_task import together
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
    loss = partial(jax_net.loss, convolution=by_xla)
    net = {} if patches else {"loss": loss, "images": lambda x: x}
    mean, each = together(problem, jax.devices(device)[0], **net)
    return Contender(
        lambda: jax.block_until_ready(mean()),
        lambda: jax.block_until_ready(each()),
        partial(jax_net.ours, problem.ways),
    )


def by_xla(block: int, x, kernel):
    """Return the convolution of images (N, H, W, C) by XLA's own."""
    pads = (1, 1), (1, 1)
    return jax.lax.conv_general_dilated(
        x, kernel, (2, 2), pads, dimension_numbers=LAYOUT
    )
