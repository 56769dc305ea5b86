"""The networks and losses of the suite as Modules of PyTorch, for ``from_torch``."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .case import Case


def squared_error(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean over examples of ½‖z − y‖²."""
    return ((z - y) ** 2).sum(-1).mean() / 2


LOSSES: dict[str, Callable] = {
    "cross-entropy": cross_entropy,
    "squared-error": squared_error,
}
LAYERS: dict[str, Callable[[dict], nn.Module]] = {
    "Conv2d": lambda e: nn.Conv2d(
        e["in_channels"],
        e["out_channels"],
        tuple(e["kernel_size"]),
        tuple(e["stride"]),
        tuple(e["padding"]),
        bias=e["use_bias"],
    ),
    "ZeroPad2d": lambda e: nn.ZeroPad2d((0, e["right"], 0, e["bottom"])),
    "BatchNorm2d": lambda e: nn.BatchNorm2d(
        e["num_channels"], e["eps"], track_running_stats=False
    ),
    "Linear": lambda e: nn.Linear(e["in_features"], e["out_features"]),
    "Flatten": lambda e: nn.Flatten(),
    "ReLU": lambda e: nn.ReLU(),
    "Softplus": lambda e: nn.Softplus(),
    "Tanh": lambda e: nn.Tanh(),
    "ELU": lambda e: nn.ELU(e["alpha"]),
    "MaxPool2d": lambda e: nn.MaxPool2d(tuple(e["window"])),
    "AveragePool2d": lambda e: nn.AvgPool2d(tuple(e["window"])),
    "GlobalAveragePool2d": lambda e: nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
}


def module_of(case: Case) -> nn.Sequential:
    """Return the network of a case as a Module, its layers named as in the case."""
    entries = (case.network or {})["layers"]
    layers = OrderedDict((e["name"], LAYERS[e["type"]](e)) for e in entries)
    return nn.Sequential(layers)
