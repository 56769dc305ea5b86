"""Examples one by one, and where that says nothing.

A batch normalisation over n values makes x̂ of them, whose mean is zero: of one value,
x̂ = 0 whatever it was.  At 1 × 1 pixels an example on its own has one value for each
channel, and all that follows is the same for every example.
"""

import numpy

from ..compute import Array, array_module
from ..layers import BatchNorm2d
from .network import Network


def logits_alone(net, phi: Array, x: Array, **context: Array) -> Array:
    """Return the logits (T, N, D) with every example a batch of its own."""
    each = [net.logits(phi, x[:, n : n + 1], **context) for n in range(x.shape[1])]
    return array_module(phi).concatenate(each, axis=1)


def blind_layer(net) -> str | None:
    """Return the first layer to which all examples look alike when alone, or None."""
    if not isinstance(net, Network):
        return None
    x = numpy.ones((1, 1, *net.input_shape))
    with numpy.errstate(all="ignore"):  # ε = 0, and only the shapes count
        _, saved = net.forward(numpy.ones((1, net.layout.size)), x)
    for (name, layer), kept in zip(net.layers.items(), saved, strict=True):
        if isinstance(layer, BatchNorm2d) and kept.x_hat[0, ..., 0].size == 1:
            return name
    return None


def why_blind(layer: str) -> str:
    """Return what is wrong, in words."""
    return (
        f"{layer} normalises over one value where an example is alone, at 1 × 1 "
        "pixels, so that all examples have the same outputs"
    )
