"""The code released with the paper, by its own classes: ``Learner`` and ``cg_solve``.

Its interface allows the system that the others solve: ``learn_task`` adds the proximal
term to every inner step if asked (``add_regularization``), and ``matrix_evaluator``
gives I + H/λ with ``regu_coef`` and ``lam_damping`` at zero.

As its own script calls them (``as_script``), they compute something else: inner steps
without the proximal term and one pull towards θ at the end, then 2 I + H/(λ + 10).
"""

import torch
from implicit_maml.learner_model import Learner, make_conv_network
from implicit_maml.utils import cg_solve

from .problem import Contender, Problem
from .torch_net import data, ours, shapes_of, split, theirs

UNDAMPED, OF_SCRIPT = {"regu_coef": 0, "lam_damping": 0}, {"regu_coef": 1.0}


def build(problem: Problem, as_script: bool = False) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        as_script: Whether to compute what its ``omniglot_implicit_maml.py`` does.
    """
    torch.set_num_threads(problem.threads)
    learn = learn_as_script if as_script else learn_proximally
    each, named = gradients(problem, learn, OF_SCRIPT if as_script else UNDAMPED)
    return Contender(
        lambda: sum(each()) / len(problem), lambda: torch.stack(list(each())), named
    )


def gradients(problem: Problem, learn, dampings, device: str = "cpu", **options):
    """Return a function that yields g of each task, and what names such rows.

    Args:
        problem: What to solve.
        learn: Takes the inner steps.
        dampings: Of the operator.
        device: Where.
        options: Further ones of ``Learner``.
    """
    torch.set_default_dtype(torch.from_numpy(problem.theta).dtype)
    net = make_conv_network(in_channels=1, out_dim=problem.ways)
    loss = torch.nn.CrossEntropyLoss()
    learner = Learner(net, loss, inner_lr=problem.step_size, **options)
    start = torch.cat([t.reshape(-1) for t in theirs(problem)]).to(device)
    tasks = [a.to(device) for a in data(problem)]
    lam = torch.tensor(problem.lam, device=device)

    def task_grad(support_x, support_y, query_x, query_y):
        task = {"x_train": support_x, "y_train": support_y}
        learner.set_params(start)
        learn(learner, task, problem.inner_steps, start, lam)
        found = torch.autograd.grad(
            learner.get_loss(query_x, query_y), net.parameters()
        )
        v = torch.cat([g.contiguous().view(-1) for g in found])
        evaluator = learner.matrix_evaluator(task, lam, **dampings)
        return cg_solve(evaluator, v, problem.cg_steps, residual_tol=0.0)

    def each():
        return (task_grad(*task) for task in zip(*tasks, strict=True))

    def named(rows):
        return ours(problem.ways, split(rows.cpu(), shapes_of(net.parameters())))

    return each, named


def learn_proximally(learner, task, steps, start, lam) -> None:
    """Take the inner steps with the proximal term in each."""
    options = {"add_regularization": True, "w_0": start, "lam": lam}
    learner.learn_task(task, num_steps=steps, **options)


def learn_as_script(learner, task, steps, start, lam) -> None:
    """Take the inner steps without it, then one along it."""
    learner.learn_task(task, num_steps=steps)
    learner.inner_opt.zero_grad()
    learner.regularization_loss(start, lam).backward()
    learner.inner_opt.step()
