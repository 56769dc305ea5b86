"""Other layers that are wrong: each differentiates what it computes, but for a kink."""

from typing import Any

from ...layers import (
    ELU,
    Conv2d,
    Flatten,
    MaxPool2d,
    Softplus,
    Tanh,
    ZeroPad2d,
    pooling,
)
from ...networks import Network


class Bendless:
    """An activation whose second derivative was forgotten."""

    def bend(self, y, s):
        return 0 * s


class BendlessTanh(Bendless, Tanh):
    """tanh with c = 0."""


class BendlessSoftplus(Bendless, Softplus):
    """Softplus with c = 0."""


class BendlessELU(Bendless, ELU):
    """ELU with c = 0."""


class FlippedConv2d(Conv2d):
    """A convolution in the mathematical sense: the kernel is turned by 180°."""

    def forward(self, p, x):
        return super().forward(turned(p), x)

    def jvp(self, p, saved, p_dot, x_dot):
        return super().jvp(turned(p), saved, turned(p_dot), x_dot)

    def vjp(self, p, saved, y_bar):
        p_bar, x_bar = super().vjp(turned(p), saved, y_bar)
        return turned(p_bar), x_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        p_bar_dot, x_bar_dot = super().vjp_dot(
            turned(p), saved, turned(p_dot), saved_dot, y_bar, y_bar_dot
        )
        return turned(p_bar_dot), x_bar_dot


def turned(p):
    """Return parameters with the kernel upside down and left to right."""
    return {**p, "kernel": p["kernel"][:, ::-1, ::-1]}


class ChannelsFirstFlatten(Flatten):
    """Flatten in the order channel, height, width."""

    def map(self, x):
        return super().map(x.transpose(0, 1, 4, 2, 3) if x.ndim == 5 else x)

    def adjoint(self, y, x_shape):
        if len(x_shape) != 5:
            return super().adjoint(y, x_shape)
        *lead, height, width, channels = x_shape
        return y.reshape(*lead, channels, height, width).transpose(0, 1, 3, 4, 2)


class TopLeftPad(ZeroPad2d):
    """Zeros at the top and at the left."""

    def map(self, x):
        return upside_down(super().map(upside_down(x)))

    def adjoint(self, y, x_shape):
        return upside_down(super().adjoint(upside_down(y), x_shape))


def upside_down(x):
    """Turn images (T, N, H, W, C) by 180°."""
    return x[:, :, ::-1, ::-1]


class EveryMaximumPool(MaxPool2d):
    """Max-pooling that hands the cotangent to every one of several largest entries."""

    def forward(self, p, x):
        y, _ = super().forward(p, x)
        x_k = pooling.split(x, self.window).real
        largest = x_k == x_k.max(-1, keepdims=True)
        return y, pooling.MaxSaved(largest.astype(x_k.dtype), x.shape)


Kinds = tuple[tuple[type, type], ...]  # what stands in the place of what
BENDLESS: Kinds = (
    (Tanh, BendlessTanh),
    (Softplus, BendlessSoftplus),
    (ELU, BendlessELU),
)


def recast(bag: Any, kinds: Kinds) -> Any:
    """Return a layer, or an optimiser, of another kind and the same numbers."""
    kind = next((new for old, new in kinds if isinstance(bag, old)), None)
    return bag if kind is None else kind(**vars(bag))


def rebuilt(net: Network, kinds: Kinds) -> Network:
    """Return a network of layers of other kinds."""
    layers = {name: recast(layer, kinds) for name, layer in net.layers.items()}
    return Network(layers, net.input_shape)
