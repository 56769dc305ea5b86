"""PyTorch with ``torch.func.vmap`` over all tasks on a card.

The program of ``shared.torch_vmap``.  Beside that the net can be written as products
with patches, and the whole meta-step can be captured once as a CUDA graph and replayed.
"""

import torch

from ..shared import torch_net
from ..shared.problem import Contender, Problem
from ..shared.torch_vmap import program
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
    task_grads = program(problem, net, compiled, device)

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
