"""Layouts of parameters in other frameworks: reshape, transpose, reshape.

kernel of a convolution    (kh, kw, in, out) ↔ (out, in, kh, kw) of PyTorch
kernel of a linear layer   (in, out) ↔ (out, in)
the same on flat images    columns in the order H, W, C ↔ C, H, W
"""

from dataclasses import dataclass
from math import prod

import numpy

from ..layers import Flatten
from ..networks import Network

Array = numpy.ndarray


@dataclass(frozen=True)
class Order:
    """How a parameter of ours is laid out in a framework.

    Args:
        split: Shape to which ours is reshaped first.
        axes: Order into which these axes are then put.
        shape: Shape of theirs.
    """

    split: tuple[int, ...]
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def theirs(self, a: Array) -> Array:
        """Return our tensor in their layout."""
        moved = a.reshape(self.split).transpose(self.axes)
        return numpy.ascontiguousarray(moved).reshape(self.shape)

    def ours(self, a: Array) -> Array:
        """Return their tensor in our layout, flat."""
        moved = tuple(self.split[i] for i in self.axes)
        return a.reshape(moved).transpose(numpy.argsort(self.axes)).ravel()


def kept(shape: tuple[int, ...]) -> Order:
    """Return the order of a parameter that is laid out as ours."""
    return Order(shape, tuple(range(len(shape))), shape)


def torch_order(net: Network, name: str, *, rows_first: bool = False) -> Order:
    """Return the layout of ``conv1.kernel`` or the like in PyTorch.

    ``rows_first`` is of a Module that flattens images as we do, H, W, C.
    """
    shape = dict(zip(net.layout.names, net.layout.shapes, strict=True))[name]
    layer, _, own = name.rpartition(".")
    if own == "kernel" and len(shape) == 4:
        return Order(shape, (3, 2, 0, 1), (*shape[:1:-1], *shape[:2]))
    if own in ("gamma", "beta") and len(shape) == 3:
        return Order(shape, (2, 0, 1), (shape[2], *shape[:2]))
    if own not in ("kernel", "gamma", "beta") or len(shape) > 2:
        return kept(shape)
    channels = 1 if rows_first else channels_before(net, layer)
    split = (shape[0] // channels, channels, *shape[1:])
    return Order(split, tuple(range(len(split)))[::-1], shape[::-1])


def channels_before(net: Network, layer: str) -> int:
    """Return the channels of the images that reach a layer flat; 1 if none do.

    A row of pixels, (H·W, C) with us, is (C, H·W) where channels come first.

    Raises:
        ValueError: If the layer is inside another, which may have mixed them or not.
    """
    names = list(net.layers)
    outer = next(name for name in names if f"{layer}.".startswith(f"{name}."))
    before = [net.layers[name] for name in names[: names.index(outer)]]
    if not any(isinstance(found, Flatten) for found in before):
        return 1
    x, channels = numpy.ones((1, 1, *net.input_shape)), 1
    with numpy.errstate(all="ignore"):  # one example, and only the shapes count
        _, saved = net.forward(numpy.ones((1, net.layout.size)), x)
    for found, kept_of in zip(before, saved, strict=False):
        if isinstance(found, Flatten):
            *pixels, channels = kept_of.x_shape[2:]
            channels = channels if prod(pixels) > 1 else 1
        elif any(name.endswith("kernel") for name in found.shapes):
            channels = 1  # it mixes what was flat
    if channels > 1 and outer != layer:
        raise ValueError(f"{layer}: the order of its rows is not known inside {outer}")
    return channels
