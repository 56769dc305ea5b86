"""metallic (MAML): ``outer_loop`` of a batch of one task, unrolled by higher."""

import sys
import types
from importlib.machinery import PathFinder

import torch

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant

PACKAGES = ("metallic", "higher", "torch")


def bare(name):
    """Import metallic without its __init__, whose data sets need torchvision."""
    spec = PathFinder.find_spec(name)
    if spec is None:
        raise ImportError(f"no {name}")
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package


bare("metallic")
from metallic.metalearners.maml import MAML  # noqa: E402


class KeptGradient(torch.optim.SGD):
    """An outer optimiser that leaves the gradient where it is."""

    def step(self, closure=None):
        return None


def unrolled_grad(times_queries):
    """Return a function of a task: what ``outer_loop`` leaves in ``grad``.

    Args:
        times_queries: Whether to multiply it by the number of queries: a control.
    """

    def gradient(task, steps, step_size):
        if task.support[1].is_floating_point():
            raise NotImplementedError("its loss is the cross-entropy")
        params = list(task.model.parameters())
        maml = MAML(
            task.model,
            torch.optim.SGD(params, lr=step_size),
            KeptGradient(params, lr=1.0),
            root=".",
            inner_steps=steps,
        )
        batch = {
            "support": [a[None] for a in task.support],
            "query": [a[None] for a in task.query],
        }
        maml.outer_loop(batch)
        scale = len(task.query[0]) if times_queries else 1
        return [scale * a.grad for a in params]

    return gradient


def variant(name, text, times_queries):
    """Return a variant."""

    def make():
        adapter = from_torch(unrolled_grad=unrolled_grad(times_queries))
        return Only(adapter, ("unrolled_grad",), name)

    return Variant(text, make)


VARIANTS = {
    "tight": variant("metallic", "MAML(SGD(lr), …).outer_loop of one task", False),
    "control": variant(
        "metallic, control", "as tight, times the number of queries", True
    ),
}
