"""learn2learn (MAML): the unrolled gradient at U, of many proximal steps at L5."""

import sys
import types
from importlib.machinery import PathFinder

import torch

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .unrolled import STEPS, problem_of, step_size

PACKAGES = ("torch",)


def bare(name, path):
    """Import a package without running its __init__, which needs much else."""
    spec = PathFinder.find_spec(name.rpartition(".")[2], path)
    if spec is None:
        raise ImportError(f"no {name}; give --path")
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    return package


bare("learn2learn.algorithms", bare("learn2learn", None).__path__)
from learn2learn.algorithms.maml import MAML  # noqa: E402


def unrolled(steps, **options):
    """Return a function of a task: the gradient through ``MAML.adapt``."""

    def meta_grad(task):
        problem = problem_of(task)
        rate = step_size(problem)
        maml = MAML(task.model, lr=rate, **options)
        learner, start = maml.clone(), list(maml.parameters())
        for _ in range(steps):
            loss = task.loss(learner(task.support[0]), task.support[1])
            learner.adapt(loss + problem.pull(learner.parameters(), start))
        outer = task.loss(learner(task.query[0]), task.query[1])
        return torch.autograd.grad(outer, start)

    return meta_grad


def unrolled_grad(task, steps, step_size):
    """Return the gradient through ``MAML.adapt`` without a proximal term."""
    maml = MAML(task.model, lr=step_size)
    learner, start = maml.clone(), list(maml.parameters())
    for _ in range(steps):
        learner.adapt(task.loss(learner(task.support[0]), task.support[1]))
    outer = task.loss(learner(task.query[0]), task.query[1])
    return torch.autograd.grad(outer, start)


def variant(name, steps):
    """Return a variant with a number of steps."""

    def make():
        hooks = {"meta_grad": unrolled(steps), "unrolled_grad": unrolled_grad}
        return Only(from_torch(**hooks), ("meta_grad", "unrolled_grad"), name)

    text = f"MAML(lr=1.8/‖H + Λ‖₂), {steps} steps on L + ½λ‖φ − θ‖²"
    return Variant(text, make)


VARIANTS = {
    "tight": variant(f"learn2learn (MAML, {STEPS} steps)", STEPS),
    "example": variant("learn2learn (MAML, 5 steps)", 5),
}
