"""higher (MAML): the unrolled gradient at U, of many proximal steps at L5; ∇L at L1."""

import higher
import torch

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Variant
from .unrolled import STEPS, problem_of, step_size

PACKAGES = ("higher", "torch")


def unrolled(steps):
    """Return a function of a task: the gradient through the steps of SGD."""

    def meta_grad(task):
        problem = problem_of(task)
        sgd = torch.optim.SGD(task.model.parameters(), lr=step_size(problem))
        start = list(task.model.parameters())
        loop = higher.innerloop_ctx(task.model, sgd, copy_initial_weights=False)
        with loop as (model, optimizer):
            for _ in range(steps):
                loss = task.loss(model(task.support[0]), task.support[1])
                optimizer.step(loss + problem.pull(model.parameters(), start))
            outer = task.loss(model(task.query[0]), task.query[1])
            return torch.autograd.grad(outer, start)

    return meta_grad


def unrolled_grad(task, steps, step_size):
    """Return the gradient through some steps of SGD without a proximal term."""
    sgd = torch.optim.SGD(task.model.parameters(), lr=step_size)
    start = list(task.model.parameters())
    loop = higher.innerloop_ctx(task.model, sgd, copy_initial_weights=False)
    with loop as (model, optimizer):
        for _ in range(steps):
            optimizer.step(task.loss(model(task.support[0]), task.support[1]))
        outer = task.loss(model(task.query[0]), task.query[1])
        return torch.autograd.grad(outer, start)


class Functional:
    """∇L by higher's functional module at L1."""

    def __init__(self, adapter, name):
        self.adapter, self.name = adapter, name
        self.meta_grad = adapter.meta_grad
        self.unrolled_grad = adapter.unrolled_grad

    def grad(self, case):
        return self.adapter.each(case, lambda task, v: slope(task))


def slope(task):
    """Return ∇L in the parameters given to the functional module."""
    model = higher.monkeypatch(task.model, copy_initial_weights=True)
    params = [task.phi[n].clone().requires_grad_() for n in task.theta]
    x, y = task.support
    loss = task.loss(model(x, params=params), y)
    found = torch.autograd.grad(loss, params)
    return dict(zip(task.theta, found, strict=True))


def variant(name, steps):
    """Return a variant with a number of steps."""

    def make():
        hooks = {"meta_grad": unrolled(steps), "unrolled_grad": unrolled_grad}
        return Functional(from_torch(**hooks), name)

    text = f"SGD(lr=1.8/‖H + Λ‖₂), {steps} steps on L + ½λ‖φ − θ‖², unrolled"
    return Variant(text, make)


VARIANTS = {
    "tight": variant(f"higher (MAML, {STEPS} steps)", STEPS),
    "example": variant("higher (MAML, 5 steps)", 5),
}
