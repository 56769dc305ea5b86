"""Which blocks a network is made of."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ..fused import Piece, padded_by
from ..layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    ZeroPad2d,
)
from ..networks import Network
from .conv_block import ConvBlock
from .fused_block import WIDTH, FusedBlock
from .input_block import InputBlock
from .tail import LinearBlock, PoolBlock

LETTERS: dict[type, str] = {
    ZeroPad2d: "Z",
    Conv2d: "C",
    BatchNorm2d: "B",
    ReLU: "R",
    MaxPool2d: "P",
    Flatten: "F",
    Linear: "L",
}
NETWORKS = re.compile(r"(Z*CBRP?)+FL?")
BLOCKS = re.compile(r"Z*CBR|P|L")


def word(net: Network) -> str:
    """Return the kinds of layers as letters; a subclass may do more than its kind."""
    return "".join(LETTERS.get(type(layer), "?") for layer in net.layers.values())


def covers(net: Network) -> bool:
    """Whether a network is blocks, perhaps pooled, flattened, perhaps with a head."""
    return type(net) is Network and NETWORKS.fullmatch(word(net)) is not None


def pieces(net: Network, fused: bool = False) -> list[Piece]:
    """Return the pieces of a network that is covered, in the order of the chain."""
    layers, of_conv = list(net.layers.items()), fused_or_not if fused else ConvBlock
    found: list[Piece] = []  # which make blocks of (p, x, space)
    for match in BLOCKS.finditer(word(net)):
        names, block = zip(*layers[match.start() : match.end()], strict=True)
        found.append(Piece(maker(block, of_conv if found else InputBlock), names))
    return found


def fused_or_not(conv: Conv2d, *rest) -> ConvBlock:
    """Return a fused block where the kernels take the convolution."""
    fits = conv.in_channels % WIDTH == 0
    return (FusedBlock if fits else ConvBlock)(conv, *rest)


def maker(layers: tuple[Any, ...], kind: Callable[..., ConvBlock]) -> Callable:
    """Return what makes the block of some layers, ``kind`` that of a convolution."""
    *pads, last = layers
    if isinstance(last, Linear):
        return LinearBlock
    if isinstance(last, MaxPool2d):
        return partial(PoolBlock, last)
    *pads, conv, norm, _ = layers
    return partial(kind, conv, norm, padded_by(pads))
