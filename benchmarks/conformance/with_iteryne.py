"""iteryne (MAML): the gradient through its inner steps, plain and with a pull."""

import torch
from iteryne.functional import adapt, functional_forward
from iteryne.maml import MAML

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .unrolled import STEPS, problem_of
from .unrolled import step_size as safe_step

PACKAGES = ("iteryne", "torch")


def unrolled_grad(first_order):
    """Return a function of a task: ``adapt_on``, then the gradient."""

    def gradient(task, steps, step_size):
        maml = MAML(task.model, inner_lr=step_size, first_order=first_order)
        learner = maml.clone().adapt_on(task.loss, *task.support, steps=steps)
        outer = task.loss(learner(task.query[0]), task.query[1])
        return torch.autograd.grad(outer, list(maml.parameters()))

    return gradient


def meta_grad(task):
    """Return the gradient through many steps of ``adapt`` on G."""
    problem = problem_of(task)
    start = dict(task.model.named_parameters())

    def inner(params):
        z = functional_forward(task.model, params, task.support[0])
        pull = problem.pull(params.values(), start.values())
        return task.loss(z, task.support[1]) + pull

    options = {"lr": safe_step(problem), "inner_steps": STEPS}
    found = adapt(task.model, start, inner, **options)
    outer = task.loss(
        functional_forward(task.model, found, task.query[0]), task.query[1]
    )
    return torch.autograd.grad(outer, list(start.values()))


def variant(name, text, first_order, methods):
    """Return a variant of its second or first order."""

    def make():
        hooks = {"unrolled_grad": unrolled_grad(first_order), "meta_grad": meta_grad}
        return Only(from_torch(**hooks), methods, name)

    return Variant(text, make)


VARIANTS = {
    "tight": variant(
        "iteryne",
        "MAML.clone().adapt_on(steps); L5 by adapt on G, "
        f"{STEPS} steps of 1.8/‖H + Λ‖₂",
        False,
        ("unrolled_grad", "meta_grad"),
    ),
    "first-order": variant(
        "iteryne, first order",
        "MAML(first_order=True)",
        True,
        ("unrolled_grad",),
    ),
}
