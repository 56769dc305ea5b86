"""hypertorch: its approximate implicit differentiation by conjugate gradients.

One task at a time, as in its ``examples/iMAML.py``: the inner steps are those of its
``GradientDescent``, the fixed-point map of ``CG`` is a gradient step of size 1, whose
system is (H + λ I) x = v; λ x is the derivative of that map in θ, applied to x.
"""

import hypergrad as hg
import torch

from ..shared.problem import Contender, Problem
from ..shared.torch_net import loss, pull, task_by_task, theirs


def build(problem: Problem) -> Contender:
    """Return the contender."""
    torch.set_num_threads(problem.threads)
    theta = [t.requires_grad_() for t in theirs(problem)]

    def task_grad(support_x, support_y, query_x, query_y):
        def inner_loss(phi, theta):
            return loss(phi, support_x, support_y) + pull(phi, theta, problem.lam)

        descent = hg.GradientDescent(inner_loss, problem.step_size)
        phi = [t.detach().clone().requires_grad_() for t in theta]
        for _ in range(problem.inner_steps):
            phi = descent(phi, theta, create_graph=False)
        return hg.CG(
            phi,
            theta,
            K=problem.cg_steps,
            fp_map=hg.GradientDescent(inner_loss, 1.0),
            outer_loss=lambda phi, theta: loss(phi, query_x, query_y),
            tol=0.0,
            set_grad=False,
        )

    return task_by_task(problem, task_grad)
