"""Which blocks a network is made of."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from math import prod
from typing import Any, NamedTuple

from ..layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    Pair,
    Params,
    ReLU,
    Window,
    ZeroPad2d,
)
from ..networks import Network
from .conv_block import ConvBlock
from .input_block import InputBlock
from .plain_blocks import FlattenBlock, FrameBlock, LayerBlock, LinearBlock
from .windows import NO_MARGIN, Margin

OFTEN = 2.5  # windows that meet a pixel, on average

Named = list[tuple[str, Any]]  # Any: a Layer, whose kind is looked at


class Piece(NamedTuple):
    """A block to be: ``make(p, x, …)`` returns it; the layers it covers."""

    make: Callable[..., Any]
    names: tuple[str, ...]

    def of(self, parameters: dict[str, Params]) -> Params:
        """Return the parameters of the layers it covers."""
        return {k: v for name in self.names for k, v in parameters[name].items()}


def covers(net: Network) -> bool:
    """Whether a network begins with a convolution, a normalisation and a ReLU.

    A subclass may do more than its layers say.
    """
    return type(net) is Network and is_block(list(net.layers.items()))


def pieces(net: Network) -> list[Piece]:
    """Return the pieces of a network that is covered, in the order of the chain."""
    margin, layers = margin_before(list(net.layers.items()))
    found: list[Piece] = []
    make: Callable[..., Any]
    while layers:
        if margin is None:
            found.append(single(*layers[0]))
            margin, layers = margin_before(layers[1:])
            found += [Piece(partial(FrameBlock, margin), ())] if margin else []
        else:
            (name, conv), (norm_name, norm), _, *rest = layers
            margin, layers = margin_before(rest)
            wanted = margin or NO_MARGIN
            if found:
                make = partial(ConvBlock, conv, norm, wanted)
            else:
                gathers = margin is not None and is_sparse(margin.window)
                make = partial(InputBlock, conv, norm, wanted, gathers=gathers)
            found.append(Piece(make, (name, norm_name)))
    return found


def is_sparse(window: Window) -> bool:
    """Whether windows meet a pixel so seldom that computing it again costs less."""
    return prod(window.size) <= OFTEN * prod(window.stride)


def single(name: str, layer: Layer) -> Piece:
    """Return the piece of a layer that is no part of a block."""
    if type(layer) is Linear:
        return Piece(LinearBlock, (name,))
    if type(layer) is Flatten:
        return Piece(FlattenBlock, (name,))
    return Piece(partial(LayerBlock, layer), (name,))


def margin_before(layers: Named) -> tuple[Margin | None, Named]:
    """Return the margin that the next block wants, and the chain from the block on.

    Zero pads before a block are part of its margin.  Where no block follows there is
    none, and the chain is as it was.
    """
    pads = list(takewhile(lambda named: type(named[1]) is ZeroPad2d, layers))
    rest = layers[len(pads) :]
    if not is_block(rest):
        return None, layers
    bottom, right = padded_by([pad for _, pad in pads])
    return Margin(rest[0][1].window, bottom, right), rest


def padded_by(pads: Sequence[Any]) -> Pair:
    """Return how many rows and columns of zeros some ``ZeroPad2d`` add together."""
    return sum(pad.bottom for pad in pads), sum(pad.right for pad in pads)


def is_block(layers: Named) -> bool:
    """Whether a chain begins with a convolution, a normalisation and a ReLU."""
    kinds = [type(layer) for _, layer in layers[:3]]
    return kinds == [Conv2d, BatchNorm2d, ReLU]
