"""pytorch-maml (tristandeleu): ``get_outer_loss`` of one task, unrolled."""

import sys
import types
from importlib.machinery import PathFinder

import torch

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant

PACKAGES = ("torchmeta", "torch")


def bare(name):
    """Import torchmeta without its __init__, which needs torchvision and data."""
    path = None if "." not in name else sys.modules["torchmeta"].__path__
    spec = PathFinder.find_spec(name.rpartition(".")[2], path)
    if spec is None:
        raise ImportError(f"no {name}")
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    return package


bare("torchmeta")
utils = bare("torchmeta.utils")
from torchmeta.modules import MetaModule  # noqa: E402
from torchmeta.utils.gradient_based import gradient_update_parameters  # noqa: E402

utils.gradient_update_parameters = gradient_update_parameters
from maml.metalearners.maml import ModelAgnosticMetaLearning  # noqa: E402


class Model(MetaModule):
    """A network as torchmeta expects it: parameters an argument of ``forward``."""

    def __init__(self, network):
        super().__init__()
        self.names = [name for name, _ in network.named_parameters()]
        for name, a in network.named_parameters():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(a))
        self.network = [network]  # in a list: its parameters are those above

    def forward(self, x, params=None):
        values = self.parameters() if params is None else params.values()
        named = dict(zip(self.names, values, strict=True))
        return torch.func.functional_call(self.network[0], named, (x,))


def unrolled_grad(settings):
    """Return a function of a task: the gradient of ``get_outer_loss``."""

    def gradient(task, steps, step_size):
        model = Model(task.model)
        learner = ModelAgnosticMetaLearning(
            model,
            step_size=step_size,
            num_adaptation_steps=steps,
            loss_function=task.loss,
            **settings,
        )
        batch = {
            "train": [a[None] for a in task.support],
            "test": [a[None] for a in task.query],
        }
        loss, _ = learner.get_outer_loss(batch)
        return torch.autograd.grad(loss, list(model.parameters()))

    return gradient


def variant(name, text, **options):
    """Return a variant."""

    def make():
        adapter = from_torch(unrolled_grad=unrolled_grad(options))
        return Only(adapter, ("unrolled_grad",), name)

    return Variant(text, make)


VARIANTS = {
    "tight": variant(
        "pytorch-maml",
        "ModelAgnosticMetaLearning(step_size, num_adaptation_steps).get_outer_loss",
    ),
    "per-param": variant(
        "pytorch-maml, a step size per parameter",
        "the same with per_param_step_size=True",
        per_param_step_size=True,
    ),
    "first-order": variant(
        "pytorch-maml, first order", "the same with first_order=True", first_order=True
    ),
}
