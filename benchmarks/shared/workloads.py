"""The workloads, their data, and the useful operations in them.

Useful operations are two for each multiply-add of convolutions and linear layers:
forward 1, gradient 3, product with H on a kept linearisation 6; the first layer needs
no gradient of its input (gradient 2, product 2).
"""

from dataclasses import dataclass

import numpy as np

import imaml_ref as ir
from imaml_ref.layers import Conv2d, Linear

from .problem import Problem

STEP_SIZE, LAM = 0.1, 2.0


@dataclass(frozen=True)
class Workload:
    """Sizes of a meta-step; the query set is as large as the support set."""

    ways: int
    shots: int
    tasks: int
    inner_steps: int
    cg_steps: int

    def __str__(self) -> str:
        return (
            f"{self.ways}-way {self.shots}-shot, {self.tasks} tasks, "
            f"{self.inner_steps} inner and {self.cg_steps} CG steps"
        )


WORKLOADS = {
    "W1": Workload(5, 1, 32, 16, 5),
    "W2": Workload(5, 5, 32, 16, 5),
    "W3": Workload(20, 1, 16, 16, 5),
    "W4": Workload(5, 1, 32, 100, 10),
}


def draw(workload: Workload, threads: int, seed: int = 0) -> Problem:
    """Draw images U(0, 1) and θ, in float32."""
    rng = np.random.default_rng(seed)
    net = ir.architectures.omniglot_cnn(workload.ways)
    shape = (2, workload.tasks, workload.ways * workload.shots, 28, 28, 1)
    support_x, query_x = rng.uniform(size=shape).astype(np.float32)
    y = np.repeat(np.arange(workload.ways), workload.shots)
    y = np.tile(y, (workload.tasks, 1))
    return Problem(
        theta=net.init(rng, dtype=np.float32),
        support_x=support_x,
        support_y=y,
        query_x=query_x,
        query_y=y,
        ways=workload.ways,
        lam=LAM,
        step_size=STEP_SIZE,
        inner_steps=workload.inner_steps,
        cg_steps=workload.cg_steps,
        threads=threads,
    )


def layer_operations(net) -> list[int]:
    """Return the operations of each convolution and linear layer, for one example."""
    phi = np.ones((1, net.layout.size))
    # Not a constant: batch normalisation with ε = 0 would divide by zero.
    x = np.random.default_rng(0).normal(size=(1, 2, *net.input_shape))
    parameters, found = net.unpack(phi), []
    for name, layer in net.layers.items():
        x, _ = layer.forward(parameters[name], x)
        if isinstance(layer, Conv2d | Linear):
            places = np.prod(x.shape[2:-1], dtype=int)
            found.append(2 * int(places) * parameters[name]["kernel"].size)
    return found


def gigaflop(workload: Workload, net=None) -> float:
    """Return the useful operations of one meta-step, in 1e9."""
    net = net or ir.architectures.omniglot_cnn(workload.ways)
    first, *others = layer_operations(net)
    gradients = workload.inner_steps + 2  # and the support and query set at φ
    of_first = 2 * gradients + 2 * workload.cg_steps
    of_others = 3 * gradients + 6 * workload.cg_steps
    examples = workload.tasks * workload.ways * workload.shots
    return examples * (of_first * first + of_others * sum(others)) / 1e9
