"""MAML in PyTorch, through all inner steps by autograd, one task after the other.

The graph of a task's inner steps is kept until its gradient is known: memory grows with
the number of steps, and only one task's graph lives at a time.
"""

import torch

from ..shared.problem import Contender, Problem
from ..shared.torch_net import data, loss, mean, ours, theirs


def build(problem: Problem) -> Contender:
    """Return the contender; ``step`` returns the mean gradient."""
    torch.set_num_threads(problem.threads)
    theta = [t.requires_grad_() for t in theirs(problem)]
    tasks = data(problem)

    def each():
        for support_x, support_y, query_x, query_y in zip(*tasks, strict=True):
            phi = adapted(theta, support_x, support_y, problem)
            yield torch.autograd.grad(loss(phi, query_x, query_y), theta)

    def step():
        return mean(each(), len(problem))

    return Contender(step, lambda: list(each()), lambda g: ours(problem.ways, g))


def adapted(theta, x, y, problem: Problem) -> list[torch.Tensor]:
    """Return φ_K, with the graph from θ to it."""
    phi = theta
    for _ in range(problem.inner_steps):
        slope = torch.autograd.grad(loss(phi, x, y), phi, create_graph=True)
        phi = [
            p - problem.step_size * (g + problem.lam * (p - t))
            for p, g, t in zip(phi, slope, theta, strict=True)
        ]
    return phi
