"""Layouts of parameters in other frameworks: reshape, transpose, reshape.

kernel of a convolution    (kh, kw, in, out) ↔ (out, in, kh, kw) of PyTorch
kernel of a linear layer   (in, out) ↔ (out, in)
the same on flat images    columns in the order H, W, C ↔ C, H, W
"""

from dataclasses import dataclass

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
    if own != "kernel" or len(shape) not in (2, 4):
        return kept(shape)
    *window, fan_in, fan_out = shape
    if window:
        return Order(shape, (3, 2, 0, 1), (fan_out, fan_in, *window))
    channels = 1 if rows_first else channels_before(net, layer)
    if channels in (1, fan_in):
        return Order(shape, (1, 0), (fan_out, fan_in))
    return Order((fan_in // channels, channels, fan_out), (2, 1, 0), (fan_out, fan_in))


def channels_before(net: Network, layer: str) -> int:
    """Return the channels of the images that reach a layer flat, or 1.

    A row of pixels, (H·W, C) with us, is (C, H·W) where channels come first.
    """
    x, channels = numpy.ones((1, 1, *net.input_shape)), 1
    with numpy.errstate(all="ignore"):  # one example, and only the shapes count
        _, saved = net.forward(numpy.ones((1, net.layout.size)), x)
    for (name, found), kept_of in zip(net.layers.items(), saved, strict=True):
        if name == layer:
            return channels
        if isinstance(found, Flatten):
            channels = kept_of.x_shape[-1]
        elif "kernel" in found.shapes:  # it mixes what was flat
            channels = 1
    return 1
