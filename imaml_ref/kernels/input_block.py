"""The first block, whose images are data: its patches are made once, and stay.

Launches and equations are those of ``ConvBlock``, for Ẋ = 0 and without x̄.

X has its mean over the rows taken from it.  c, Ż − μ and Xᵀ Z̄ do not see that, since Z̄
and R{Z̄} have mean zero; but they have it to rounding only, and met by a mean μ of the
images, whose spread is σ, they would lose digits with (μ/σ)² where c has lost them with
μ/σ.  Where the images themselves are far from zero the difference is exact.
"""

from ..compute import Array
from .conv_block import ConvBlock, Views
from .matrices import product
from .program import Program


class InputBlock(ConvBlock):
    """A ``ConvBlock`` on images that do not move."""

    scratch_size = 0

    def load(self, program: Program) -> None:
        """Write X."""
        self.windows.patches(program, self.x, self.X.array)
        tasks, rows, cols = self.X_shape
        program.do("centre", a=self.X.array, tasks=tasks, rows=rows, cols=cols)

    def forward(self, program: Program) -> None:
        """Write y of (1)."""
        self.normalised(program)

    def vjp(self, program: Program, y_bar: Array, p_bar: Views) -> None:
        """Write p̄ of (2), (3)."""
        self.weigh(program, y_bar, p_bar)
        self.kernel_bar(program, p_bar)

    def jvp(self, program: Program, p_dot: Views, x_dot: None) -> Array:
        """Write ẏ of (4), for Ẋ = 0."""
        product(program.do, self.X, self.kernel(p_dot), self.matrix(self.Z_dot))
        return self.normalised_dot(program, p_dot)

    def vjp_dot(self, program: Program, y_bar_dot: Array, p_bar_dot: Views) -> None:
        """Write R{p̄} of (6), (7), for Ẋ = 0."""
        self.Z_bars(program, y_bar_dot, p_bar_dot)
        moving = self.matrix(y_bar_dot)
        product(program.aside, self.X.T, moving, self.kernel(p_bar_dot))
