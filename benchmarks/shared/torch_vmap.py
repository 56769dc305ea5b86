"""PyTorch with ``torch.func.vmap`` over all tasks, eager or with compiled inner steps.

The inner steps use ``vmap(grad(loss))``; for the products with H the batched ∇L is
differentiated again, on one graph that is kept: tasks do not mix, so the derivative of
Σ_t ⟨∇L_t, v_t⟩ holds every H_t v_t.
"""

import torch
from torch.func import grad, vmap

from . import torch_net
from .cg import conjugate_gradients
from .problem import Contender, Problem
from .torch_net import flat, shapes_of, split


def build(problem: Problem, compiled: bool = False) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        compiled: Whether an inner step is compiled by ``torch.compile``.
    """
    torch.set_num_threads(problem.threads)
    task_grads = program(problem, torch_net, compiled)

    def step():
        return [g.mean(0) for g in task_grads()]

    return Contender(
        step, task_grads, lambda found: torch_net.ours(problem.ways, found)
    )


def program(problem: Problem, net, compiled: bool, device: str = "cpu"):
    """Return a function that computes g of every task.

    Args:
        problem: What to solve.
        net: A module with the functions of ``torch_net``.
        compiled: Whether an inner step is compiled by ``torch.compile``.
        device: Where.
    """
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
        product = operator(phi, *support, problem.lam, net.loss)
        found = conjugate_gradients(product, v, problem.cg_steps)
        return split(found, shapes_of(theta))

    return task_grads


def descent(problem: Problem, loss, theta, x, y, compiled: bool):
    """Return ∇L of all tasks, and φ ↦ φ − α (∇L + λ (φ − θ)), perhaps compiled."""
    slopes, alpha, lam = vmap(grad(loss)), problem.step_size, problem.lam

    def inner_step(phi):
        along = slopes(phi, x, y)
        pairs = zip(phi, along, theta, strict=True)
        return [p - alpha * (g + lam * (p - t)) for p, g, t in pairs]

    if compiled:
        inner_step = torch.compile(inner_step, dynamic=False)
    return slopes, inner_step


def operator(phi, x, y, lam, loss):
    """Return v ↦ v + H v / λ on rows (T, P)."""
    shapes = [p.shape[1:] for p in phi]
    phi = [p.detach().requires_grad_() for p in phi]
    slope = torch.autograd.grad(vmap(loss)(phi, x, y).sum(), phi, create_graph=True)

    def product(v):
        along = split(v, shapes)
        Hv = torch.autograd.grad(slope, phi, along, retain_graph=True)
        return v + flat(Hv, 1) / lam

    return product
