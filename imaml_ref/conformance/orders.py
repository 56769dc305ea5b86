"""Layouts of parameters in other frameworks: reshape, transpose, reshape."""

from dataclasses import dataclass

import numpy

from .case import Array, Case
from .plain import Tensor


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


def kept(tensor: Tensor) -> Order:
    """Return the order of a parameter that is laid out as ours."""
    return Order(tensor.shape, tuple(range(len(tensor.shape))), tensor.shape)


def channels_before(case: Case, layer: str) -> int:
    """Return the channels of the images that are flattened just before a layer, or 1.

    A row of pixels, (H·W, C) with us, is (C, H·W) where channels come first.
    """
    channels, flattened = (case.network or {})["input_shape"][-1], False
    for entry in (case.network or {})["layers"]:
        if entry["name"] == layer:
            return channels if flattened else 1
        channels = entry.get("out_channels", channels)
        flattened = entry["type"] == "Flatten"
    return 1
