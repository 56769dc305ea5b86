"""Images of all tasks, and the windows that convolution and pooling lay over them."""

from typing import NamedTuple

from ..compute import Array
from ..layers import Pair, Window
from .program import Program


class Shape(NamedTuple):
    """The shape of images (T, N, H, W, C)."""

    tasks: int
    examples: int
    height: int
    width: int
    channels: int

    @property
    def extent(self) -> dict[str, int]:
        """What the kernels want to know."""
        return {
            "images": self.tasks * self.examples,
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
        }

    def over(self, counts: Pair, channels: int) -> "Shape":
        """Return the shape of images with so many pixels and channels."""
        return Shape(self.tasks, self.examples, *counts, channels)


class Windows:
    """The windows of a convolution: their patches, and the adjoint of these.

    Args:
        window: Size, stride and padding.
        shape: Of the images.
        pads: Rows of zeros below each image, and columns beside it.
    """

    def __init__(self, window: Window, shape: Shape, pads: Pair):
        self.counts = window.counts(shape.height + pads[0], shape.width + pads[1])
        self.num_rows = shape.examples * self.counts[0] * self.counts[1]
        self.row_length = window.size[0] * window.size[1] * shape.channels
        # Beyond the edges is zero, near or far: padding and pads need nothing else.
        self.ints = shape.extent | {
            **by_axis("out", self.counts, ("height", "width")),
            **by_axis("size", window.size),
            **by_axis("stride", window.stride),
            **by_axis("pad", window.padding),
        }

    def patches(self, program: Program, x: Array, X: Array) -> None:
        """Write the patches X (T, R, kh·kw·C) of images."""
        program.do("patches", x=x, X=X, **self.ints)

    def adjoint(self, program: Program, X_bar: Array, x_bar: Array) -> None:
        """Write x̄ from X̄."""
        program.do("patches_adjoint", X_bar=X_bar, x_bar=x_bar, **self.ints)


def by_axis(name: str, pair: Pair, axes: Pair | tuple[str, str] = ("h", "w")):
    """Return a pair as two named numbers."""
    return {f"{name}_{axis}": n for axis, n in zip(axes, pair, strict=True)}
