"""The witness of a layer: it at a random point, differentiated by oracles."""

from functools import cached_property
from typing import Any

import numpy

from ..compute import Array
from .oracles import complex_step
from .rows import Tensors, under
from .trees import floats


class Point:
    """A layer at a random point in float64 on the host, with tangents and cotangents.

    Args:
        layer: Anything with ``shapes``, ``forward`` and ``vjp``.
        x_shape: Shape of x, (T, N, ...).
        seed: Of the point: everything is drawn from a standard normal.
    """

    def __init__(self, layer: Any, x_shape: tuple[int, ...], seed: int):
        self.layer = layer
        self.rng = numpy.random.default_rng(seed)
        self.x, self.x_dot = self.draw(x_shape), self.draw(x_shape)
        self.p, self.p_dot = (
            {n: self.draw((x_shape[0], *s)) for n, s in layer.shapes.items()}
            for _ in range(2)
        )
        self.y, _ = layer.forward(self.p, self.x)
        self.y_bar, self.y_bar_dot = self.draw(self.y.shape), self.draw(self.y.shape)

    def draw(self, shape: tuple[int, ...]) -> Array:
        """Draw from a standard normal, in numbers that float32 holds exactly."""
        return self.rng.normal(size=shape).astype(numpy.float32).astype(numpy.float64)

    def forward(self, s: complex) -> Tensors:
        """Return y and what is saved, at p + s ṗ and x + s ẋ."""
        y, saved = self.layer.forward(self.p_at(s), self.x + s * self.x_dot)
        return {"y": y} | under("saved", floats(saved))

    def vjp(self, s: complex) -> Tensors:
        """Return the cotangents at p + s ṗ, x + s ẋ and ȳ + s R{ȳ}."""
        p = self.p_at(s)
        _, saved = self.layer.forward(p, self.x + s * self.x_dot)
        return cotangents(self.layer.vjp(p, saved, self.y_bar + s * self.y_bar_dot))

    def p_at(self, s: complex) -> Tensors:
        """Return p + s ṗ."""
        return {n: a + s * self.p_dot[n] for n, a in self.p.items()}

    @cached_property
    def forward_dot(self) -> Tensors:
        """The tangents of y and of what is saved, by the complex step."""
        return differentiate(complex_step, self.forward)

    @cached_property
    def vjp_dot(self) -> Tensors:
        """The tangents of the cotangents, by the complex step."""
        return differentiate(complex_step, self.vjp)

    def forward_dot_along(self, name: str) -> Array:
        """Return ẏ along one argument alone, a parameter or "x"."""

        def forward(s):
            p = {n: a + (n == name) * s * self.p_dot[n] for n, a in self.p.items()}
            return self.layer.forward(p, self.x + (name == "x") * s * self.x_dot)[0]

        return complex_step(forward, 0.0, 1.0)

    def cotangent_entries(self, name: str, most: int) -> tuple[Array, Array]:
        """Return up to ``most`` entries of task 0's cotangent, and where they are.

        One entry is moved in each of as many tasks as there are entries to look at:
        one call of forward gives a column of the Jacobian for each of them.

        Args:
            name: The argument, a parameter or "x".
            most: How many entries to look at; drawn at random if there are more.

        Returns:
            Positions in the flattened tensor, and the entries there.
        """
        arguments = {**self.p, "x": self.x}
        where = numpy.sort(self.rng.permutation(arguments[name][0].size)[:most])
        step = 1e-30
        many = {
            n: numpy.repeat(a[:1] + 0j, len(where), 0) for n, a in arguments.items()
        }
        moved = many[name].reshape(len(where), -1)
        moved[numpy.arange(len(where)), where] += 1j * step
        y, _ = self.layer.forward(many, many.pop("x"))
        y_bar_y_dot = self.y_bar[:1] * (y.imag / step)
        return where, y_bar_y_dot.reshape(len(where), -1).sum(1)


def differentiate(oracle: Any, f: Any) -> Tensors:
    """Differentiate each array of s ↦ f(s) at s = 0, by one of the oracles."""
    start = f(0.0)
    ends = numpy.cumsum([a.size for a in start.values()])[:-1]

    def stacked(s):
        return numpy.concatenate([a.ravel() for a in f(s).values()])

    parts = numpy.split(oracle(stacked, 0.0, 1.0), ends)
    pairs = zip(start.items(), parts, strict=True)
    return {name: part.reshape(a.shape) for (name, a), part in pairs}


def cotangents(pair: tuple[Tensors, Array]) -> Tensors:
    """Return p̄ and x̄ in one dictionary; no parameter may be called x."""
    return {**pair[0], "x": pair[1]}
