"""The code released with the paper, by its own classes, on a card.

As ``shared.released``: with the proximal term in every inner step and the system that
the others solve.
"""

import torch
from implicit_maml.learner_model import Learner, make_conv_network
from implicit_maml.utils import cg_solve

from ..shared.problem import Contender, Problem
from ..shared.released import learn_proximally
from ..shared.torch_net import data, ours, shapes_of, split, theirs
from .place import CARD
from .torch_card import wait


def build(problem: Problem, device: str) -> Contender:
    """Return the contender."""
    torch.backends.cudnn.allow_tf32 = False
    torch.set_default_dtype(torch.from_numpy(problem.theta).dtype)
    net = make_conv_network(in_channels=1, out_dim=problem.ways)
    options = {"inner_lr": problem.step_size, "GPU": device == CARD}
    learner = Learner(net, torch.nn.CrossEntropyLoss(), **options)
    start = torch.cat([t.reshape(-1) for t in theirs(problem)]).to(device)
    tasks = [a.to(device) for a in data(problem)]
    lam = torch.tensor(problem.lam, device=device)

    def task_grad(support_x, support_y, query_x, query_y):
        task = {"x_train": support_x, "y_train": support_y}
        learner.set_params(start)
        learn_proximally(learner, task, problem.inner_steps, start, lam)
        found = torch.autograd.grad(
            learner.get_loss(query_x, query_y), net.parameters()
        )
        v = torch.cat([g.contiguous().view(-1) for g in found])
        evaluator = learner.matrix_evaluator(task, lam, regu_coef=0, lam_damping=0)
        return cg_solve(evaluator, v, problem.cg_steps, residual_tol=0.0)

    def each():
        return (task_grad(*task) for task in zip(*tasks, strict=True))

    def step():
        found = sum(each()) / len(problem)
        wait(device)
        return found

    def named(rows):
        return ours(problem.ways, split(rows.cpu(), shapes_of(net.parameters())))

    return Contender(step, lambda: torch.stack(list(each())), named)
