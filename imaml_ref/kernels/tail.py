"""What follows the blocks: pooling between them, the linear layer, and the loss.

Written like ``ConvBlock``; the equations are those of ``layers.pooling``,
``layers.linear`` and ``losses``.
"""

from ..compute import Array
from ..layers import MaxPool2d
from .conv_block import Block, Views
from .images import Shape, by_axis
from .matrices import Matrix, kernel_of, product, product_pair, rows_of
from .program import Program


class PoolBlock(Block):
    """The largest of each window: (1), (3) of ``layers.pooling``.

    Args:
        layer: The layer.
        p: None: there are no parameters.
        x: Images (T, N, H, W, C).
        space: Where arrays are made.
    """

    def __init__(self, layer: MaxPool2d, p: Views, x: Array, space):
        self.x, self.space, shape = x, space, Shape(*x.shape)
        counts = shape.height // layer.window[0], shape.width // layer.window[1]
        self.shape = shape.over(counts, shape.channels)
        self.ints = shape.extent | {
            **by_axis("out", counts, ("height", "width")),
            **by_axis("size", layer.window),
        }
        self.y, self.winner = space.zeros(self.shape), space.zeros(self.shape, "int32")

    def forward(self, program: Program) -> None:
        """Write y."""
        program.do("max_pool", x=self.x, y=self.y, winner=self.winner, **self.ints)

    def jvp(self, program: Program, p_dot: Views, x_dot: Array) -> Array:
        """Write ẏ."""
        program.do(
            "max_pool_jvp",
            x_dot=x_dot,
            winner=self.winner,
            y_dot=self.y_dot,
            **self.ints,
        )
        return self.y_dot

    def vjp(self, program: Program, y_bar: Array, p_bar: Views) -> Array:
        """Write x̄."""
        return self.spread(program, y_bar, self.x_bar)

    def vjp_dot(self, program: Program, y_bar_dot: Array, p_bar_dot: Views) -> Array:
        """Write R{x̄}."""
        return self.spread(program, y_bar_dot, self.x_bar_dot)

    def spread(self, program: Program, y_bar: Array, x_bar: Array) -> Array:
        """Write x̄ from ȳ."""
        program.do(
            "max_pool_vjp", y_bar=y_bar, winner=self.winner, x_bar=x_bar, **self.ints
        )
        return x_bar


class LinearBlock(Block):
    """y = x W + b on flattened images: (1) to (4) of ``layers.linear``.

    Args:
        p: The parameters.
        x: (T, N, ...).
        space: Where arrays are made.
    """

    def __init__(self, p: Views, x: Array, space):
        self.p, self.x, self.space = p, x, space
        self.stride = p["bias"].strides[0] // p["bias"].itemsize
        self.shape = (*x.shape[:2], p["bias"].shape[1])
        self.W, self.y = self.kernel(p), space.zeros(self.shape)

    def kernel(self, p: Views) -> Matrix:
        """Return the kernel as a matrix."""
        return kernel_of(p["kernel"], self.shape[-1], self.stride)

    def inputs(self, x: Array) -> Matrix:
        """View an array like x as a matrix of rows."""
        return rows_of(x, x.size // (self.shape[0] * self.shape[1]))

    def outputs(self, y: Array) -> Matrix:
        """View an array like y as a matrix of rows."""
        return rows_of(y, self.shape[-1])

    @property
    def sizes(self) -> dict[str, int]:
        """What the kernels of the bias want to know."""
        return dict(zip(("tasks", "rows", "cols"), self.shape, strict=True))

    def forward(self, program: Program) -> None:
        """Write y of (1)."""
        product(program.do, self.inputs(self.x), self.W, self.outputs(self.y))
        self.plus_bias(program, self.y, self.p)

    def plus_bias(self, program: Program, y: Array, p: Views) -> Array:
        """Add b to all rows."""
        program.do("add_row", a=y, row=p["bias"], row_task=self.stride, **self.sizes)
        return y

    def jvp(self, program: Program, p_dot: Views, x_dot: Array) -> Array:
        """Write ẏ of (2)."""
        self.W_dot, self.x_dot = self.kernel(p_dot), self.inputs(x_dot)
        first, second = (self.x_dot, self.W), (self.inputs(self.x), self.W_dot)
        product_pair(program.do, first, second, self.outputs(self.y_dot))
        return self.plus_bias(program, self.y_dot, p_dot)

    def vjp(self, program: Program, y_bar: Array, p_bar: Views) -> Array:
        """Write p̄ of (3); return x̄."""
        self.y_bar = self.outputs(y_bar)
        product(program.aside, self.inputs(self.x).T, self.y_bar, self.kernel(p_bar))
        self.sum_rows(program, y_bar, p_bar)
        product(program.do, self.y_bar, self.W.T, self.inputs(self.x_bar))
        return self.x_bar

    def sum_rows(self, program: Program, y_bar: Array, p_bar: Views) -> None:
        """Write b̄ of (3)."""
        program.aside(
            "row_sums", a=y_bar, out=p_bar["bias"], out_task=self.stride, **self.sizes
        )

    def vjp_dot(self, program: Program, y_bar_dot: Array, p_bar_dot: Views) -> Array:
        """Write R{p̄} of (4); return R{x̄}."""
        moving, x = self.outputs(y_bar_dot), self.inputs(self.x)
        first, second = (self.x_dot.T, self.y_bar), (x.T, moving)
        product_pair(program.aside, first, second, self.kernel(p_bar_dot))
        self.sum_rows(program, y_bar_dot, p_bar_dot)
        first, second = (moving, self.W.T), (self.y_bar, self.W_dot.T)
        product_pair(program.do, first, second, self.inputs(self.x_bar_dot))
        return self.x_bar_dot
