"""A chain of layers over one flat vector of parameters.

A chain is z = f_m(… f_2(f_1(x))).  The sweeps forward and jvp run from the first layer
to the last; vjp and vjp_dot from the last to the first.  What each sweep saved, the
next ones use: after one forward and one vjp, any number of directions φ̇ costs one jvp
and one vjp_dot each (``linearization.Linearization``).
"""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy

from ..arguments import having, sizes
from ..compute import Array, array_module, check_array
from ..layers import Layer, Params, named_layers
from .context import check_company, told
from .parameters import ParameterLayout, assign, check_direction, flattened


class Network:
    """A chain of named layers, a function of a flat φ (T, P) and inputs x (T, N, ...).

    Args:
        layers: The layers by name, in the order of the chain.
        input_shape: Shape of one input, such as (28, 28, 1).

    Raises:
        TypeError: If the layers are no mapping.
        ValueError: If the layers do not fit together; the layer's own message.
    """

    def __init__(self, layers: Mapping[str, Layer], input_shape: tuple[int, ...]):
        self.layers = named_layers("layers", layers)
        check_company(self.layers)
        self.input_shape = sizes((28, 28, 1))("input_shape", input_shape)
        named = {
            f"{name}.{parameter}": shape
            for name, layer in self.layers.items()
            for parameter, shape in layer.shapes.items()
        }
        self.layout = ParameterLayout(tuple(named), tuple(named.values()))
        # Not a constant: batch normalisation with ε = 0 would divide by zero.
        x = numpy.random.default_rng(0).normal(size=(1, 2, *self.input_shape))
        self.num_outputs = self.logits(numpy.ones(self.layout.size), x).shape[-1]

    def __repr__(self) -> str:
        words = f"{len(self.layers)} layers, {self.input_shape} to {self.num_outputs}"
        return f"<{type(self).__name__}: {words}, P = {self.layout.size:,}>"

    def __str__(self) -> str:
        """Return a line for each layer: name, kind, shape of its output, parameters."""
        told = (getattr(f, "num_support", None) for f in self.layers.values())
        x = numpy.ones((1, 1 + max(filter(None, told), default=0), *self.input_shape))
        p = self.unpack(numpy.ones((1, self.layout.size)))
        rows = [("", "input", self.input_shape, 0)]
        for name, layer in self.layers.items():
            x, _ = layer.forward(p[name], x)
            size = sum(value[0].size for value in p[name].values())
            rows.append((name, type(layer).__name__, x.shape[2:], size))
        lines = [
            f"  {name:12.12} {kind:20.20} {' × '.join(map(str, shape)):16} {size:>12,}"
            for name, kind, shape, size in rows
        ]
        return "\n".join([repr(self), *lines])

    def init(
        self, rng: numpy.random.Generator, *, dtype=numpy.float64
    ) -> numpy.ndarray:
        """Draw initial parameters (P,); each layer says how its own start.

        Raises:
            ValueError: If ``rng`` is no generator.
            TypeError: If the dtype is not a floating type.
        """
        having("uniform", "numpy.random.default_rng(0)")("rng", rng)
        if not numpy.issubdtype(dtype, numpy.floating):
            raise TypeError(f"dtype must be a floating type, got {dtype}")
        named = {
            f"{name}.{parameter}": value
            for name, layer in self.layers.items()
            for parameter, value in layer.init(rng).items()
        }
        return self.layout.pack(named).astype(dtype)

    @property
    def looks_at_support(self) -> bool:
        """Whether a layer asks for the ``context`` of queries."""
        return any(layer.looks_at_support for layer in self.layers.values())

    def given(self, num_support: int) -> "Network":
        """Return the net of so many support examples, then queries, and z of these."""
        net = copy(self)
        net.layers = told(self.layers, num_support)
        return net

    def logits(self, phi: Array, x: Array, context: Array | None = None) -> Array:
        """Return the outputs z (T, N, D) for φ (T, P), or one φ (P,) for all tasks.

        Support inputs (T, n, ...) are the ``context`` of queries, if a layer asks.

        Raises:
            TypeError: If φ or x is no array.
        """
        if context is not None and self.looks_at_support:
            x = array_module(context, x).concatenate([context, x], axis=1)
            return self.given(context.shape[1]).logits(phi, x)
        check_array("φ", phi)
        check_array("x", x)
        if phi.ndim == 1:
            phi = array_module(phi).broadcast_to(phi, (len(x), len(phi)))
        return self.forward(phi, x)[0]

    def forward(self, phi: Array, x: Array) -> tuple[Array, list]:
        """Return z and, per layer, what the other sweeps need.

        Raises:
            TypeError: If φ holds integers, or x has not its real dtype.
            ValueError: If x is no batch of inputs of ``input_shape``.
        """
        if phi.dtype.kind in "biu":
            raise TypeError(
                f"φ must hold floating-point numbers, got {phi.dtype}; "
                "convert θ with theta.astype(...)"
            )
        self.check_inputs(phi, x)
        p, saved = self.unpack(phi), []
        for name, layer in self.layers.items():
            x, kept = layer.forward(p[name], x)
            saved.append(kept)
        return x, saved

    def jvp(
        self, phi: Array, saved: list, phi_dot: Array, x_dot: Array
    ) -> tuple[Array, list]:
        """Return ż, and per layer the tangent of what it saved.

        Raises:
            ValueError: If φ̇ has not the shape of φ.
        """
        check_direction(phi, phi_dot)
        p, p_dot, saved_dot = self.unpack(phi), self.unpack(phi_dot), []
        for (name, layer), kept in zip(self.layers.items(), saved, strict=True):
            x_dot, kept_dot = layer.jvp(p[name], kept, p_dot[name], x_dot)
            saved_dot.append(kept_dot)
        return x_dot, saved_dot

    def vjp(self, phi: Array, saved: list, z_bar: Array) -> tuple[Array, list]:
        """Return φ̄ (T, P), and per layer the cotangent ȳ of its output.

        Raises:
            ValueError: If z̄ is not (T, N, D).
        """
        if z_bar.ndim != 3 or z_bar.shape[::2] != (len(phi), self.num_outputs):
            raise ValueError(
                f"z̄ expects shape ({len(phi)}, N, {self.num_outputs}), "
                f"got {z_bar.shape}"
            )
        p, y_bars = self.unpack(phi), [z_bar]
        phi_bar = array_module(phi).empty(phi.shape, z_bar.dtype)
        p_bar = self.unpack(phi_bar)
        for (name, layer), kept in reversed(
            list(zip(self.layers.items(), saved, strict=True))
        ):
            found, x_bar = layer.vjp(p[name], kept, y_bars[0])
            assign(p_bar[name], found)
            y_bars.insert(0, x_bar)
        return phi_bar, y_bars[1:]

    def vjp_dot(
        self,
        phi: Array,
        saved: list,
        phi_dot: Array,
        saved_dot: list,
        y_bars: list,
        z_bar_dot: Array,
    ) -> Array:
        """Return R{φ̄} (T, P), the tangent of what vjp returns.

        Raises:
            ValueError: If φ̇ has not the shape of φ.
        """
        check_direction(phi, phi_dot)
        p, p_dot = self.unpack(phi), self.unpack(phi_dot)
        phi_bar_dot = array_module(phi).empty(phi.shape, z_bar_dot.dtype)
        p_bar_dot, y_bar_dot = self.unpack(phi_bar_dot), z_bar_dot
        chain = zip(self.layers.items(), saved, saved_dot, y_bars, strict=True)
        for (name, layer), kept, kept_dot, y_bar in reversed(list(chain)):
            found, y_bar_dot = layer.vjp_dot(
                p[name], kept, p_dot[name], kept_dot, y_bar, y_bar_dot
            )
            assign(p_bar_dot[name], found)
        return phi_bar_dot

    def check_inputs(self, phi: Array, x: Array) -> None:
        """Refuse inputs that do not belong to φ or to this network.

        Raises:
            TypeError: If x has not the real dtype of φ.
            ValueError: If x is no batch of inputs of ``input_shape``.
        """
        if x.dtype != phi.real.dtype and x.dtype != phi.dtype:
            raise TypeError(
                f"x must have the real dtype of φ, {phi.real.dtype}, got {x.dtype}; "
                "convert it with x.astype(...)"
            )
        if phi.ndim != 2:
            raise ValueError(
                f"φ expects shape (T, P), one for each task, got {phi.shape}; "
                "for one φ in all tasks use np.broadcast_to(phi, (T, P))"
            )
        if x.shape[2:] != self.input_shape or len(x) != len(phi):
            expected = ", ".join(map(str, (len(phi), "N", *self.input_shape)))
            raise ValueError(f"x expects shape ({expected}), got {x.shape}")
        if 0 in x.shape[:2]:
            raise ValueError(
                f"x of shape {x.shape} has no examples: T and N must be above 0"
            )

    def unpack(self, phi: Array) -> dict[str, Params]:
        """Return each layer's parameters as views of φ, by layer and name."""
        flat = self.layout.unpack(phi)
        return {
            name: {parameter: flat[f"{name}.{parameter}"] for parameter in layer.shapes}
            for name, layer in self.layers.items()
        }

    def pack(self, named: Mapping[str, Any]) -> Array:
        """Return φ (..., P) with copies of its parameters (..., *shape), by name.

        Args:
            named: As ``unpack`` returns them, or ``{"conv1.kernel": a, ...}``.

        Raises:
            TypeError: If one is no array, or they are not all of one dtype.
            ValueError: If some are missing, unknown or of another shape; all are named.
        """
        return self.layout.pack(flattened(named))
