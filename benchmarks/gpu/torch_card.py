"""PyTorch with ``torch.func.vmap`` over all tasks on a card.

As ``shared.torch_vmap``: ``vmap(grad(loss))`` for the inner steps, and the batched ∇L
differentiated again on one graph that is kept for the products with H.  Beside that the
inner step can be compiled, the net can be written as products with patches, and the
whole meta-step can be captured once as a CUDA graph and replayed.
"""

import torch

from ..shared import torch_net
from ..shared.cg import conjugate_gradients
from ..shared.problem import Contender, Problem
from ..shared.torch_net import flat, shapes_of, split
from ..shared.torch_vmap import descent, operator
from . import torch_patches
from .place import CARD

WARM_UP = 3  # meta-steps before a capture, as PyTorch asks for


def build(
    problem: Problem,
    device: str,
    patches: bool = False,
    compiled: bool = False,
    graph: bool = False,
    tf32: bool = False,
) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        device: Where.
        patches: Whether convolutions are products with patches.
        compiled: Whether an inner step is compiled by ``torch.compile``.
        graph: Whether the meta-step is replayed as a CUDA graph, on a card.
        tf32: Whether products may take TF32.
    """
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    net = torch_patches if patches else torch_net
    task_grads = program(problem, net, device, compiled)

    def both():
        found = task_grads()
        return [g.mean(0) for g in found], found

    run = captured(both) if graph and device == CARD else both

    def step():
        found = run()[0]
        wait(device)
        return found

    return Contender(
        step,
        lambda: run()[1],
        lambda found: net.ours(problem.ways, [t.detach().cpu() for t in found]),
    )


def program(problem: Problem, net, device: str, compiled: bool):
    """Return a function that computes g of every task."""
    theta = [t.to(device) for t in net.theirs(problem)]
    support_x, support_y, query_x, query_y = (a.to(device) for a in net.data(problem))
    start = [t.expand(len(problem), *t.shape).contiguous() for t in theta]
    support = support_x, support_y
    slopes, inner_step = descent(problem, net.loss, theta, *support, compiled)

    def task_grads():
        phi = start
        for _ in range(problem.inner_steps):
            phi = inner_step(phi)
        v = flat(slopes(phi, query_x, query_y), 1)
        product = operator(phi, *support, problem.lam, loss=net.loss)
        found = conjugate_gradients(product, v, problem.cg_steps)
        return split(found, shapes_of(theta))

    return task_grads


def captured(function):
    """Return a function that replays what a function of no arguments did on the card.

    Its results lie in the same tensors every time.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = function()

    def replay():
        graph.replay()
        return found

    return replay


def wait(device: str) -> None:
    """Come back when the device is done."""
    if device == CARD:
        torch.cuda.synchronize()
