"""Convolution, batch normalisation and ReLU in one kernel each way.

The patches are never written: a kernel gathers them as it multiplies, and has all rows
of its channels at hand, whose mean and square are then no passes of their own.  The
equations are those of ``fused.conv_block``; only X̄ is written, as in ``ConvBlock``.
"""

from ..compute import Array
from .conv_block import ConvBlock, Views
from .program import Program

WIDTH = 4  # channels that a kernel reads at a time: it takes multiples of them


class FusedBlock(ConvBlock):
    """A ``ConvBlock`` without X and Ẋ."""

    @property
    def all_sizes(self) -> dict[str, int]:
        """What the kernels want to know."""
        ints = {k: n for k, n in self.windows.ints.items() if k != "images"}
        return ints | {
            "tasks": self.shape.tasks,
            "examples": self.shape.examples,
            "filters": self.shape.channels,
            "param_task": self.stride,
        }

    def forward(self, program: Program) -> None:
        """Write y of (1)."""
        program.do(
            "conv_bn_relu",
            x=self.x,
            W=self.p["kernel"],
            gamma=self.p["gamma"],
            beta=self.p["beta"],
            eps=self.eps,
            **self.kept,
            **self.all_sizes,
        )

    def kernel_bar(self, program: Program, p_bar: Views) -> None:
        """Write W̄ of (3)."""
        program.aside(
            "conv_vjp",
            x=self.x,
            Z_bar=self.Z_bar,
            W_bar=p_bar["kernel"],
            **self.all_sizes,
        )

    def jvp(self, program: Program, p_dot: Views, x_dot: Array) -> Array:
        """Write ẏ of (4)."""
        self.x_dot, self.p_dot = x_dot, p_dot
        program.do(
            "conv_bn_relu_jvp",
            x_dot=x_dot,
            W=self.p["kernel"],
            x=self.x,
            W_dot=p_dot["kernel"],
            gamma=self.p["gamma"],
            gamma_dot=p_dot["gamma"],
            beta_dot=p_dot["beta"],
            Z_dot=self.Z_dot,
            y_dot=self.y_dot,
            **self.kept,
            **self.dots,
            **self.all_sizes,
        )
        return self.y_dot

    def kernel_bar_dot(
        self, program: Program, Z_bar_dot: Array, p_bar_dot: Views
    ) -> None:
        """Write R{W̄} of (7)."""
        program.aside(
            "conv_vjp_dot",
            x_dot=self.x_dot,
            Z_bar=self.Z_bar,
            x=self.x,
            Z_bar_dot=Z_bar_dot,
            W_bar_dot=p_bar_dot["kernel"],
            **self.all_sizes,
        )
