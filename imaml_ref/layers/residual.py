"""A chain of layers beside a skip.

With f and h chains of layers, h the identity if it has none,

    forward    y = f(x) + h(x)                    jvp      ẏ = ẏ_f + ẏ_h             (1)
    vjp        x̄ = x̄_f + x̄_h                      vjp_dot  R{x̄} = R{x̄_f} + R{x̄_h}  (2)

The sweeps of a chain y = f_m(… f_1(x)) are those of its layers in turn, forward and jvp
from the first, vjp and vjp_dot from the last.  The vjp_dot of a layer asks for the ȳ of
its output, which no other sweep hands on: so that of a chain runs vjp again beside it.

Source: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
equations (1) and (2).
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..arguments import Settings, a_layer, brief, setting
from .base import Layer, Params


def named_layers(name: str, value: Any) -> dict[str, Layer]:
    """Return layers by name, in their order, after a look at them.

    Raises:
        TypeError: If they are no mapping.
        ValueError: If one is no layer, or two of their parameters might have one name.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict of them by name, got {brief(value)}")
    for key, layer in value.items():
        a_layer(f"layer {key!r}", layer)
        if any(str(other).startswith(f"{key}.") for other in value):
            raise ValueError(
                f"{name}: another name begins with '{key}.'; choose others"
            )
    return dict(value)


class Nested(Layer):
    """A layer made of others, whose parameters are called ``name.parameter``."""

    @property
    @abstractmethod
    def parts(self) -> Mapping[str, Layer]:
        """The others, by name."""

    @property
    def shapes(self):
        return joined({name: part.shapes for name, part in self.parts.items()})

    def init(self, rng):
        return joined({name: part.init(rng) for name, part in self.parts.items()})


@dataclass(frozen=True)
class Chain(Nested):
    """y = f_m(… f_1(x)), the identity of no layers."""

    layers: Mapping[str, Layer]

    @property
    def parts(self):
        return self.layers

    def forward(self, p, x):
        saved = {}
        for name, layer in self.parts.items():
            x, saved[name] = layer.forward(under(name, p), x)
        return x, saved

    def jvp(self, p, saved, p_dot, x_dot):
        saved_dot = {}
        for name, layer in self.parts.items():
            at = under(name, p), saved[name], under(name, p_dot)
            x_dot, saved_dot[name] = layer.jvp(*at, x_dot)
        return x_dot, saved_dot

    def vjp(self, p, saved, y_bar):
        p_bar = {}
        for name, layer in reversed(list(self.parts.items())):
            p_bar[name], y_bar = layer.vjp(under(name, p), saved[name], y_bar)
        return joined(p_bar), y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        p_bar_dot = {}
        for name, layer in reversed(list(self.parts.items())):
            at = under(name, p), saved[name]
            moving = under(name, p_dot), saved_dot[name]
            found = layer.vjp_dot(*at, *moving, y_bar, y_bar_dot)
            p_bar_dot[name], y_bar_dot = found
            _, y_bar = layer.vjp(*at, y_bar)
        return joined(p_bar_dot), y_bar_dot


@dataclass(frozen=True)
class Residual(Nested, Settings):
    """y = f(x) + h(x), f the body and h the skip, x itself unless layers are given.

    A parameter is called ``body.conv.kernel`` or ``skip.conv.kernel``.

    Args:
        body: The layers of f by name, in the order of the chain.
        skip: Those of h, for a body that changes the shape.

    Raises:
        TypeError: If the layers are no mapping.
        ValueError: If one is no layer, or two of their parameters might have one name.
    """

    body: Mapping[str, Layer] = setting(named_layers)
    skip: Mapping[str, Layer] = setting(named_layers, make=dict)

    @property
    def parts(self):
        return {"body": Chain(self.body), "skip": Chain(self.skip)}

    def forward(self, p, x):
        y, saved = {}, {}
        for name, part in self.parts.items():
            y[name], saved[name] = part.forward(under(name, p), x)
        if y["body"].shape != y["skip"].shape:
            raise ValueError(
                f"Residual expects equal shapes to add, got {y['body'].shape} of the "
                f"body and {y['skip'].shape} of the skip; give the skip layers that fit"
            )
        return y["body"] + y["skip"], saved

    def jvp(self, p, saved, p_dot, x_dot):
        y_dot, saved_dot = {}, {}
        for name, part in self.parts.items():
            at = under(name, p), saved[name], under(name, p_dot)
            y_dot[name], saved_dot[name] = part.jvp(*at, x_dot)
        return y_dot["body"] + y_dot["skip"], saved_dot

    def vjp(self, p, saved, y_bar):
        p_bar, x_bar = {}, {}
        for name, part in self.parts.items():
            p_bar[name], x_bar[name] = part.vjp(under(name, p), saved[name], y_bar)
        return joined(p_bar), x_bar["body"] + x_bar["skip"]

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        p_bar_dot, x_bar_dot = {}, {}
        for name, part in self.parts.items():
            at = under(name, p), saved[name], under(name, p_dot), saved_dot[name]
            found = part.vjp_dot(*at, y_bar, y_bar_dot)
            p_bar_dot[name], x_bar_dot[name] = found
        return joined(p_bar_dot), x_bar_dot["body"] + x_bar_dot["skip"]


def under(name: str, p: Params) -> Params:
    """Return the parameters of a part, without its name in theirs."""
    start = f"{name}."
    return {n.removeprefix(start): a for n, a in p.items() if n.startswith(start)}


def joined(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the parts have by parameter, under their names."""
    return {f"{name}.{n}": a for name, part in parts.items() for n, a in part.items()}
