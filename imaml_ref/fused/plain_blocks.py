"""Blocks of one layer: the linear layer, views and frames, and any other layer.

They are written like ``ConvBlock``: ``forward`` and ``jvp`` return y and ẏ, ``vjp`` and
``vjp_dot`` return x̄ and R{x̄}, and all of them are arrays that stay where they are.
"""

import numpy
from numpy import add, copyto, matmul

from ..compute import Array
from ..layers import Layer, Params
from ..networks import assign
from .program import Program
from .views import column, transposed
from .windows import NO_FRAME, Frame, Margin


class LinearBlock:
    """y = x W + b on arrays of one size; see ``layers.linear`` for the equations.

    Args:
        p: The parameters, views (T, ...) of φ.
        x: (T, N, D_in).
        frame: That of x: none.
    """

    frame = NO_FRAME

    def __init__(self, p: Params, x: Array, frame: Frame):
        self.p, self.x, self.W = p, x, p["kernel"]
        self.y_shape = (*x.shape[:2], self.W.shape[-1])
        self._ones = numpy.ones((1, x.shape[1]), x.dtype)

    def forward(self, program: Program) -> Array:
        """Write y."""
        y = program.do(matmul, self.x, self.W, program.array(*self.y_shape))
        return program.do(add, y, column(self.p["bias"]), y)

    def vjp(self, program: Program, y_bar: Array, p_bar: Params):
        """Write p̄ and return x̄."""
        program.do(matmul, transposed(self.x), y_bar, p_bar["kernel"])
        program.do(matmul, self._ones, y_bar, column(p_bar["bias"]))
        x_bar = program.array(*self.x.shape)
        return program.do(matmul, y_bar, transposed(self.W), x_bar), y_bar

    def jvp(self, program: Program, p_dot: Params, x_dot: Array) -> Array:
        """Write ẏ."""
        self.W_dot, self.x_dot = p_dot["kernel"], x_dot
        t, y_dot = (program.array(*self.y_shape) for _ in range(2))
        program.do(matmul, x_dot, self.W, y_dot)
        program.do(add, y_dot, program.do(matmul, self.x, self.W_dot, t), y_dot)
        return program.do(add, y_dot, column(p_dot["bias"]), y_dot)

    def vjp_dot(
        self, program: Program, y_bar, y_bar_dot: Array, p_bar_dot: Params
    ) -> Array:
        """Write R{p̄} and return R{x̄}."""
        do, W_bar_dot = program.do, p_bar_dot["kernel"]
        t_W = program.array(*W_bar_dot.shape)
        do(matmul, transposed(self.x), y_bar_dot, W_bar_dot)
        do(add, W_bar_dot, do(matmul, transposed(self.x_dot), y_bar, t_W), W_bar_dot)
        do(matmul, self._ones, y_bar_dot, column(p_bar_dot["bias"]))
        t, x_bar_dot = (program.array(*self.x.shape) for _ in range(2))
        do(matmul, y_bar_dot, transposed(self.W), x_bar_dot)
        return do(
            add, x_bar_dot, do(matmul, y_bar, transposed(self.W_dot), t), x_bar_dot
        )


class FlattenBlock:
    """y is x in another shape: nothing moves.

    Args:
        p: None: there are no parameters.
        x: (T, N, ...).
        frame: That of x: none.
    """

    frame = NO_FRAME

    def __init__(self, p: Params, x: Array, frame: Frame):
        self.x = x

    def forward(self, program: Program) -> Array:
        """Return y, a view of x."""
        return self.x.reshape(*self.x.shape[:2], -1)

    def vjp(self, program: Program, y_bar: Array, p_bar: Params):
        """Return x̄, a view of ȳ."""
        return y_bar.reshape(self.x.shape), None

    def jvp(self, program: Program, p_dot: Params, x_dot: Array) -> Array:
        """Return ẏ, a view of ẋ."""
        return x_dot.reshape(*x_dot.shape[:2], -1)

    def vjp_dot(
        self, program: Program, y_bar, y_bar_dot: Array, p_bar_dot: Params
    ) -> Array:
        """Return R{x̄}, a view of R{ȳ}."""
        return y_bar_dot.reshape(self.x.shape)


class FrameBlock:
    """Put images into a frame of zeros; the cotangents of blocks have none.

    Args:
        margin: What the next block wants.
        p: None: there are no parameters.
        x: (T, N, H, W, C).
        frame: That of x: none.
    """

    def __init__(self, margin: Margin, p: Params, x: Array, frame: Frame):
        self.x, self.frame = x, margin.frame(*x.shape[2:4])

    def forward(self, program: Program) -> Array:
        """Write the framed x."""
        return self.jvp(program, {}, self.x)

    def vjp(self, program: Program, y_bar: Array, p_bar: Params):
        """Return x̄, the inside of ȳ."""
        return self.frame.inside(y_bar), None

    def jvp(self, program: Program, p_dot: Params, x_dot: Array) -> Array:
        """Write the framed ẋ."""
        whole = self.frame.array(program, x_dot.shape)
        program.do(copyto, self.frame.inside(whole), x_dot)
        return whole

    def vjp_dot(
        self, program: Program, y_bar, y_bar_dot: Array, p_bar_dot: Params
    ) -> Array:
        """Return R{x̄}, the inside of R{ȳ}."""
        return self.frame.inside(y_bar_dot)


class LayerBlock:
    """Any layer, by its own four methods.

    Args:
        layer: The layer.
        p: Its parameters, views (T, ...) of φ.
        x: (T, N, ...).
        frame: That of x: none.
    """

    frame = NO_FRAME

    def __init__(self, layer: Layer, p: Params, x: Array, frame: Frame):
        self.layer, self.p, self.x = layer, p, x

    def forward(self, program: Program) -> Array:
        """Write y."""
        # Only the shape counts, whatever zeros do to the layer.
        with numpy.errstate(all="ignore"):
            self.y_shape = self.layer.forward(self.p, self.x)[0].shape
        y = program.array(*self.y_shape)

        def step():
            y[...], self.saved = self.layer.forward(self.p, self.x)

        program.do(step)
        return y

    def vjp(self, program: Program, y_bar: Array, p_bar: Params):
        """Write p̄ and return x̄."""
        x_bar = program.array(*self.x.shape)

        def step():
            found, x_bar[...] = self.layer.vjp(self.p, self.saved, y_bar)
            assign(p_bar, found)

        program.do(step)
        return x_bar, y_bar

    def jvp(self, program: Program, p_dot: Params, x_dot: Array) -> Array:
        """Write ẏ."""
        self.p_dot, y_dot = p_dot, program.array(*self.y_shape)

        def step():
            y_dot[...], self.saved_dot = self.layer.jvp(
                self.p, self.saved, p_dot, x_dot
            )

        program.do(step)
        return y_dot

    def vjp_dot(
        self, program: Program, y_bar, y_bar_dot: Array, p_bar_dot: Params
    ) -> Array:
        """Write R{p̄} and return R{x̄}."""
        x_bar_dot = program.array(*self.x.shape)

        def step():
            found, x_bar_dot[...] = self.layer.vjp_dot(
                self.p, self.saved, self.p_dot, self.saved_dot, y_bar, y_bar_dot
            )
            assign(p_bar_dot, found)

        program.do(step)
        return x_bar_dot
