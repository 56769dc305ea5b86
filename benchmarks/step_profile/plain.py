"""Watches on the plain path: the methods of the layers, and inside of convolutions.

A product in a convolution is an ``@`` of which one side is the kernel as a matrix or
the cotangent as rows.  While it is watched, these two come as arrays of a class whose
``@`` is.  What is then left of a convolution is its bias and sums of products.
"""

from collections.abc import Callable

import numpy as np

from imaml_ref.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    ReLU,
    ZeroPad2d,
    convolution,
)
from imaml_ref.networks import Network

from .clock import Clock, Label, watched
from .kinds import ENTRIES, NORM, PATCHES, POINTS, PRODUCTS, VECTORS, block_of

METHODS = ("forward", "jvp", "vjp", "vjp_dot")
# A linear layer is hardly anything but its products.
OF_LAYERS = (
    (Conv2d, ENTRIES),
    (BatchNorm2d, NORM),
    (ReLU, ENTRIES),
    (ZeroPad2d, ENTRIES),
    (Flatten, ENTRIES),
    (Linear, PRODUCTS),
)


def changes(clock: Clock, net: Network) -> list:
    """Return the changes that watch the sweeps of a network."""
    blocks = {id(layer): block_of(name) for name, layer in net.layers.items()}

    def labelled(kind: str) -> Callable[..., Label]:
        return lambda layer, *_: Label(blocks[id(layer)], kind)

    found: list = [
        (
            kind_of_layer,
            name,
            watched(clock, getattr(kind_of_layer, name), labelled(kind)),
        )
        for kind_of_layer, kind in OF_LAYERS
        for name in METHODS
    ]
    found += [
        (Network, name, watched(clock, getattr(Network, name), Label(POINTS, VECTORS)))
        for name in METHODS
    ]
    return found + inside_convolutions(clock)


def inside_convolutions(clock: Clock) -> list:
    """Return the changes that tell patches and products from the rest."""
    arrays = watched_arrays(clock)

    def in_block(*_) -> Label:
        return Label(clock.block, PATCHES)

    def viewed(method: Callable) -> Callable:
        return lambda layer, a: method(layer, a).view(arrays)

    plain_sum = convolution.sum_rows
    return [
        (Conv2d, "matrix", viewed(Conv2d.matrix)),
        (Conv2d, "rows", viewed(Conv2d.rows)),
        (convolution, "patches", watched(clock, convolution.patches, in_block)),
        (
            convolution,
            "patches_adjoint",
            watched(clock, convolution.patches_adjoint, in_block),
        ),
        (convolution, "sum_rows", lambda a: plain_sum(np.asarray(a))),
    ]


def watched_arrays(clock: Clock) -> type:
    """Return a class of arrays whose products a clock watches."""

    def product(a, b):
        label = Label(clock.block, PRODUCTS)
        return clock.call(label, np.matmul, np.asarray(a), np.asarray(b))

    class Watched(np.ndarray):
        def __matmul__(self, other):
            return product(self, other)

        def __rmatmul__(self, other):
            return product(other, self)

    return Watched
