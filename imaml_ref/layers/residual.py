"""A chain of layers beside a skip.

With f and h chains of layers, h the identity if it has none,

    forward    y = f(x) + h(x)                    jvp      ẏ = ẏ_f + ẏ_h             (1)
    vjp        x̄ = x̄_f + x̄_h                      vjp_dot  R{x̄} = R{x̄_f} + R{x̄_h}  (2)

The sweeps of a chain a = f_m(… f_1(x)) are those of its layers in turn, forward and jvp
from the first, vjp and vjp_dot from the last.  The vjp_dot of a layer asks for the ȳ of
its output, which no other sweep hands on: so that of a chain runs vjp again beside it.

Source: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
equations (1) and (2).
"""

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


@dataclass(frozen=True)
class Residual(Layer, Settings):
    """y = f(x) + h(x), f the body and h the skip, x itself unless layers are given.

    Their parameters are called ``body.conv.kernel`` or ``skip.conv.kernel``.

    Args:
        body: The layers of f by name, in the order of the chain.
        skip: Those of h, for a body that changes the shape.

    Raises:
        TypeError, ValueError: See ``named_layers``.
    """

    body: Mapping[str, Layer] = setting(named_layers)
    skip: Mapping[str, Layer] = setting(named_layers, make=dict)

    @property
    def chains(self) -> list[dict[str, Layer]]:
        """The layers of f and of h, by their names in both."""
        both = ("body", self.body), ("skip", self.skip)
        return [{f"{c}.{n}": layer for n, layer in chain.items()} for c, chain in both]

    @property
    def looks_at_support(self):
        f, h = self.chains
        return any(layer.looks_at_support for layer in (f | h).values())

    def given(self, num_support):
        both = [
            {name: layer.given(num_support) for name, layer in chain.items()}
            for chain in (self.body, self.skip)
        ]
        return Residual(*both)

    @property
    def shapes(self):
        f, h = self.chains
        return joined({name: layer.shapes for name, layer in (f | h).items()})

    def init(self, rng):
        f, h = self.chains
        return joined({name: layer.init(rng) for name, layer in (f | h).items()})

    def forward(self, p, x):
        y, saved = [], {}
        for chain in self.chains:
            a = x
            for name, layer in chain.items():
                a, saved[name] = layer.forward(under(name, p), a)
            y.append(a)
        if y[0].shape != y[1].shape:
            raise ValueError(
                f"Residual adds what has one shape, got {y[0].shape} of the body and "
                f"{y[1].shape} of the skip; give the skip layers that fit"
            )
        return y[0] + y[1], saved

    def jvp(self, p, saved, p_dot, x_dot):
        y_dot, saved_dot = 0, {}
        for chain in self.chains:
            a_dot = x_dot
            for name, layer in chain.items():
                at = under(name, p), saved[name], under(name, p_dot)
                a_dot, saved_dot[name] = layer.jvp(*at, a_dot)
            y_dot = y_dot + a_dot
        return y_dot, saved_dot

    def vjp(self, p, saved, y_bar):
        p_bar, x_bar = {}, 0
        for chain in self.chains:
            a_bar = y_bar
            for name, layer in reversed(chain.items()):
                p_bar[name], a_bar = layer.vjp(under(name, p), saved[name], a_bar)
            x_bar = x_bar + a_bar
        return joined(p_bar), x_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        p_bar_dot, x_bar_dot = {}, 0
        for chain in self.chains:
            a_bar, a_bar_dot = y_bar, y_bar_dot
            for name, layer in reversed(chain.items()):
                at = under(name, p), saved[name]
                moving = under(name, p_dot), saved_dot[name]
                found = layer.vjp_dot(*at, *moving, a_bar, a_bar_dot)
                p_bar_dot[name], a_bar_dot = found
                _, a_bar = layer.vjp(*at, a_bar)
            x_bar_dot = x_bar_dot + a_bar_dot
        return joined(p_bar_dot), x_bar_dot


def under(name: str, p: Params) -> Params:
    """Return the parameters of a layer, without its name in theirs."""
    start = f"{name}."
    return {n.removeprefix(start): a for n, a in p.items() if n.startswith(start)}


def joined(each: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the layers have by parameter, under their names."""
    return {
        f"{name}.{n}": a for name, of_one in each.items() for n, a in of_one.items()
    }
