"""Networks as plain data: what HDF5 and JSON can hold, and other languages can read.

    {"input_shape": [4, 4, 1],
     "layers": [{"name": "conv1", "type": "Conv2d", "in_channels": 1, ...}, ...]}

The fields of a layer are those of the class of that name in ``imaml_ref.layers``.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from typing import Any

from .. import layers as known_layers
from ..networks import Network

# Axes of each parameter, in the order in which our files hold it.
AXES = {
    ("Conv2d", "kernel"): ("kh", "kw", "in", "out"),
    ("Linear", "kernel"): ("in", "out"),
}


@dataclass(frozen=True)
class Tensor:
    """Where a parameter lies in a flat vector, and what its axes mean.

    Args:
        name: Such as ``conv1.kernel``.
        start: Its first entry in the flat vector.
        shape: Its shape; entries in C order, the last axis fastest.
        axes: A name for each axis, such as ("kh", "kw", "in", "out").
    """

    name: str
    start: int
    shape: tuple[int, ...]
    axes: tuple[str, ...]

    @property
    def where(self) -> slice:
        """Its place in a flat vector."""
        return slice(self.start, self.start + math.prod(self.shape))


def described(net: Network) -> dict[str, Any]:
    """Return a network as plain data."""
    return {
        "input_shape": list(net.input_shape),
        "layers": [
            {"name": name, "type": type(layer).__name__} | fields_of(layer)
            for name, layer in net.layers.items()
        ],
    }


def fields_of(layer) -> dict[str, Any]:
    """Return the sizes of a layer, pairs as lists."""
    known = is_dataclass(layer) and not isinstance(layer, type)
    sizes = asdict(layer) if known else {}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in sizes.items()}


def built(plain: Mapping[str, Any]) -> Network:
    """Return the network that plain data describe, the same object for equal data.

    Raises:
        ValueError: If a layer is of an unknown type.
    """
    return parsed(json.dumps(plain))


@cache
def parsed(text: str) -> Network:
    """Return the network that a JSON text describes.

    Raises:
        ValueError: If a layer is of an unknown type.
    """
    plain, layers = json.loads(text), {}
    for entry in plain["layers"]:
        name, kind = entry.pop("name"), entry.pop("type")
        sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
        made = getattr(known_layers, kind, None)
        if not isinstance(made, type) or not issubclass(made, known_layers.Layer):
            raise ValueError(f"layer {name} is of unknown type {kind!r}")
        layers[name] = made(**sizes)
    return Network(layers, tuple(plain["input_shape"]))


def tensors(net: Network) -> tuple[Tensor, ...]:
    """Return the parameters of a network, in the order of the flat vector."""
    layout = net.layout
    found = []
    for name, shape, where in zip(
        layout.names, layout.shapes, layout.slices, strict=True
    ):
        layer, _, parameter = name.partition(".")
        key = (type(net.layers[layer]).__name__, parameter)
        found.append(Tensor(name, where.start, shape, AXES.get(key, ("out",))))
    return tuple(found)
