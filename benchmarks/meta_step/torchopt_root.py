"""TorchOpt: implicit differentiation by ``custom_root`` with its ``solve_cg``.

One task at a time, as in its iMAML example; the inner steps are those of its functional
``sgd``.  With ∇G as the optimality condition it solves (H + λ I) x = v and returns λ x,
the iterates those of I + H/λ times 1/λ.
"""

import torch
import torchopt
from torchopt.diff.implicit import custom_root
from torchopt.linear_solve import solve_cg

from ..shared.problem import Contender, Problem
from ..shared.torch_net import loss, pull, task_by_task, theirs


def build(problem: Problem) -> Contender:
    """Return the contender."""
    torch.set_num_threads(problem.threads)
    theta = tuple(t.requires_grad_() for t in theirs(problem))
    sgd = torchopt.sgd(problem.step_size)
    solver = solve_cg(rtol=0.0, atol=0.0, maxiter=problem.cg_steps)

    def objective(phi, theta, x, y):
        return loss(phi, x, y) + pull(phi, theta, problem.lam)

    @custom_root(torch.func.grad(objective), argnums=1, solve=solver)
    def adapted(phi, theta, x, y):
        state = sgd.init(phi)
        for _ in range(problem.inner_steps):
            with torch.enable_grad():  # which custom_root switches off
                slope = torch.autograd.grad(objective(phi, theta, x, y), phi)
            updates, state = sgd.update(slope, state, inplace=False)
            phi = torchopt.apply_updates(phi, updates, inplace=False)
            phi = tuple(p.detach().requires_grad_() for p in phi)
        return phi

    def task_grad(support_x, support_y, query_x, query_y):
        start = tuple(t.detach().clone().requires_grad_() for t in theta)
        phi = adapted(start, theta, support_x, support_y)
        return torch.autograd.grad(loss(phi, query_x, query_y), theta)

    return task_by_task(problem, task_grad)
