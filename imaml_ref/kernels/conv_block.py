"""Convolution, batch normalisation and ReLU as one block, as launches of kernels.

The equations (1) to (7) and their letters are those of ``fused.conv_block``.  Arrays
belong to a block and are made when a sweep first needs them.
"""

from functools import cached_property
from math import prod
from typing import Any

from ..compute import Array
from ..layers import BatchNorm2d, Conv2d, Pair
from .images import Shape, Windows
from .matrices import Matrix, kernel_of, product, product_pair, rows_of
from .program import Program

Views = dict[str, Array]  # of a layer's parameters: (T, n) out of a flat (T, P)


class Block:
    """What a block shares with all others: arrays like its x and its y."""

    x: Array
    shape: Any  # of y
    space: Any

    def like_x(self) -> Array:
        """Return an array like x."""
        return self.space.zeros(self.x.shape)

    def like_y(self) -> Array:
        """Return an array like y."""
        return self.space.zeros(self.shape)

    # x̄, R{x̄} and ẏ, made when a sweep first needs them.
    x_bar, x_bar_dot = cached_property(like_x), cached_property(like_x)
    y_dot = cached_property(like_y)


class ConvBlock(Block):
    """The three layers on images of one size; what a sweep leaves, the next ones read.

    Args:
        conv: The convolution.
        norm: The batch normalisation.
        pads: Rows of zeros that a layer before has put below the images, and columns.
        p: The parameters of both.
        x: Images (T, N, H, W, C).
        space: Where arrays are made.
    """

    def __init__(
        self, conv: Conv2d, norm: BatchNorm2d, pads: Pair, p: Views, x: Array, space
    ):
        self.p, self.x, self.space, self.eps = p, x, space, norm.eps
        shape = Shape(*x.shape)
        self.windows = Windows(conv.window, shape, pads)
        self.shape = shape.over(self.windows.counts, conv.out_channels)
        self.stride = p["gamma"].strides[0] // p["gamma"].itemsize
        self.X_shape = (
            self.shape.tasks,
            self.windows.num_rows,
            self.windows.row_length,
        )
        self.W = self.kernel(p)
        self.y, c = self.like_y(), self.like_y()
        # What (1) leaves, for all that follows.
        rho, a = self.factors(2)
        self.kept = {"y": self.y, "c": c, "rho": rho, "a": a}

    @property
    def sizes(self) -> dict[str, int]:
        """What the kernels of the normalisation want to know."""
        return {
            "param_task": self.stride,
            "tasks": self.shape.tasks,
            "rows": self.windows.num_rows,
            "channels": self.shape.channels,
        }

    def kernel(self, p: Views) -> Matrix:
        """Return the kernel as a matrix."""
        return kernel_of(p["kernel"], self.shape.channels, self.stride)

    @property
    def scratch_size(self) -> int:
        """Entries of X̄, which is of use for a moment only."""
        return prod(self.X_shape)

    def scratch(self) -> Matrix:
        """Return the place for X̄, the same for all blocks."""
        return rows_of(self.space.scratch(self.X_shape), self.X_shape[-1])

    def patches(self) -> Matrix:
        """Return an array for patches, as a matrix."""
        return rows_of(self.space.zeros(self.X_shape), self.X_shape[-1])

    X, X_dot = cached_property(patches), cached_property(patches)

    # Z̄ of (2), Ż of (4).
    Z_bar, Z_dot = cached_property(Block.like_y), cached_property(Block.like_y)

    def factors(self, count: int) -> Array:
        """Return arrays for factors of a channel, (T, C) each."""
        return self.space.zeros((count, self.shape.tasks, self.shape.channels))

    def matrix(self, a: Array) -> Matrix:
        """View images like y as a matrix of rows."""
        return rows_of(a, self.shape.channels)

    def forward(self, program: Program) -> None:
        """Write y of (1)."""
        self.windows.patches(program, self.x, self.X.array)
        self.normalised(program)

    def normalised(self, program: Program) -> None:
        """Write y of (1) from X."""
        Z = self.kept["c"]  # Z becomes c
        product(program.do, self.X, self.W, self.matrix(Z))
        program.do(
            "bn_relu",
            Z=Z,
            gamma=self.p["gamma"],
            beta=self.p["beta"],
            eps=self.eps,
            **self.kept,
            **self.sizes,
        )

    @cached_property
    def bars(self) -> dict[str, Array]:
        """The factors of (2)."""
        return dict(zip("eqk", self.factors(3), strict=True))

    def vjp(self, program: Program, y_bar: Array, p_bar: Views) -> Array:
        """Write p̄ of (2), (3), b̄ being 0 as it is; return x̄.  ȳ becomes s ȳ."""
        self.weigh(program, y_bar, p_bar)
        self.kernel_bar(program, p_bar)
        X_bar = self.scratch()
        product(program.do, self.matrix(self.Z_bar), self.W.T, X_bar)
        self.windows.adjoint(program, X_bar.array, self.x_bar)
        return self.x_bar

    def weigh(self, program: Program, y_bar: Array, p_bar: Views) -> None:
        """Write Z̄, γ̄ and β̄ of (2)."""
        self.y_bar = y_bar
        program.do(
            "bn_relu_vjp",
            y_bar=y_bar,
            s_y_bar=y_bar,
            Z_bar=self.Z_bar,
            gamma_bar=p_bar["gamma"],
            beta_bar=p_bar["beta"],
            **self.kept,
            **self.bars,
            **self.sizes,
        )

    def kernel_bar(self, program: Program, p_bar: Views) -> None:
        """Write W̄ of (3)."""
        product(program.aside, self.X.T, self.matrix(self.Z_bar), self.kernel(p_bar))

    @cached_property
    def dots(self) -> dict[str, Array]:
        """The factors of (4)."""
        return dict(zip(("mu", "rho_dot", "a_dot"), self.factors(3), strict=True))

    def jvp(self, program: Program, p_dot: Views, x_dot: Any) -> Array:
        """Write ẏ of (4)."""
        self.windows.patches(program, x_dot, self.X_dot.array)
        W_dot, Z_dot = self.kernel(p_dot), self.matrix(self.Z_dot)
        product_pair(program.do, (self.X_dot, self.W), (self.X, W_dot), Z_dot)
        return self.normalised_dot(program, p_dot)

    def normalised_dot(self, program: Program, p_dot: Views) -> Array:
        """Write ẏ of (4) from Ż."""
        self.p_dot = p_dot
        program.do(
            "bn_relu_jvp",
            Z_dot=self.Z_dot,
            gamma=self.p["gamma"],
            gamma_dot=p_dot["gamma"],
            beta_dot=p_dot["beta"],
            y_dot=self.y_dot,
            **self.kept,
            **self.dots,
            **self.sizes,
        )
        return self.y_dot

    def vjp_dot(self, program: Program, y_bar_dot: Array, p_bar_dot: Views) -> Array:
        """Write R{p̄} of (6), (7); return R{x̄}.  R{ȳ} becomes R{Z̄}."""
        Z_bar, Z_bar_dot = self.Z_bars(program, y_bar_dot, p_bar_dot)
        self.kernel_bar_dot(program, y_bar_dot, p_bar_dot)
        W_dot, X_bar_dot = self.kernel(self.p_dot), self.scratch()
        product_pair(program.do, (Z_bar_dot, self.W.T), (Z_bar, W_dot.T), X_bar_dot)
        self.windows.adjoint(program, X_bar_dot.array, self.x_bar_dot)
        return self.x_bar_dot

    def kernel_bar_dot(
        self, program: Program, Z_bar_dot: Array, p_bar_dot: Views
    ) -> None:
        """Write R{W̄} of (7)."""
        first = self.X_dot.T, self.matrix(self.Z_bar)
        second = self.X.T, self.matrix(Z_bar_dot)
        product_pair(program.aside, first, second, self.kernel(p_bar_dot))

    def Z_bars(self, program: Program, y_bar_dot: Array, p_bar_dot: Views):
        """Write R{Z̄} of (5) in the place of R{ȳ}, R{γ̄}, R{β̄}; return Z̄ and R{Z̄}."""
        program.do(
            "bn_relu_vjp_dot",
            y_bar_dot=y_bar_dot,
            s_y_bar=self.y_bar,
            Z_dot=self.Z_dot,
            Z_bar_dot=y_bar_dot,
            gamma_bar_dot=p_bar_dot["gamma"],
            beta_bar_dot=p_bar_dot["beta"],
            **self.kept,
            **self.dots,
            **self.bars,
            **self.sizes,
        )
        return self.matrix(self.Z_bar), self.matrix(y_bar_dot)
