"""Patches of images and their adjoint.

A convolution with a kh × kw window is a matrix product once every window is a row.
``patches`` is that linear map, x ↦ X with

    X[(n, i, j), (a, b, c)] = x[n, s_h i + a − p_h, s_w j + b − p_w, c]              (1)

and zero where the index leaves the image.  Its adjoint adds each entry of a row back to
the pixel it came from,

    x̄[n, h, w, c] = Σ X̄[(n, i, j), (a, b, c)]                                       (2)

over all i, a with s_h i + a − p_h = h and all j, b with s_w j + b − p_w = w.

The two functions are mirror images of one another.
"""

from dataclasses import dataclass

from ..compute import Array, array_module

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """The geometry of (1): sizes in pixels, each as (height, width)."""

    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def counts(self, height: int, width: int) -> Pair:
        """Return how many windows fit into an image, along height and width.

        Raises:
            ValueError: If not even one does.
        """
        rows, columns = (
            (extent + 2 * p - k) // s + 1
            for extent, k, s, p in zip(
                (height, width), self.size, self.stride, self.padding, strict=True
            )
        )
        if rows < 1 or columns < 1:
            raise ValueError(
                f"a window of {self.size} with padding {self.padding} does not fit "
                f"into an image of {height} × {width} pixels"
            )
        return rows, columns


def patches(x: Array, window: Window) -> Array:
    """Return X of (1): (T, N, H, W, C) -> (T, N·H'·W', kh·kw·C), a copy."""
    tasks, examples, height, width, channels = x.shape
    rows, columns = window.counts(height, width)
    x = pad(x, window.padding)
    t, n, h, w, c = x.strides
    view = array_module(x).lib.stride_tricks.as_strided(
        x,
        (tasks, examples, rows, columns, *window.size, channels),
        (t, n, window.stride[0] * h, window.stride[1] * w, h, w, c),
    )
    return view.reshape(tasks, examples * rows * columns, -1)


def patches_adjoint(x_bar: Array, window: Window, shape: tuple[int, ...]) -> Array:
    """Return x̄ of (2): (T, N·H'·W', kh·kw·C) -> ``shape`` = (T, N, H, W, C)."""
    tasks, examples, height, width, channels = shape
    rows, columns = window.counts(height, width)
    (down, across), (top, left) = window.stride, window.padding
    x_bar = x_bar.reshape(tasks, examples, rows, columns, *window.size, channels)
    padded = array_module(x_bar).zeros(
        (tasks, examples, height + 2 * top, width + 2 * left, channels), x_bar.dtype
    )
    for a in range(window.size[0]):
        for b in range(window.size[1]):
            target = padded[:, :, a:, b:][
                :, :, : rows * down : down, : columns * across : across
            ]
            target += x_bar[:, :, :, :, a, b]
    return padded[:, :, top : top + height, left : left + width]


def sum_rows(a: Array) -> Array:
    """Return the sum over rows, (T, R, C) -> (T, C), as a product with ones.

    A BLAS reads the rows once; a sum over a middle axis takes twice as long.
    """
    ones = array_module(a).ones((1, a.shape[1]), a.dtype)
    return (ones @ a)[:, 0]


def pad(x: Array, padding: Pair) -> Array:
    """Surround (T, N, H, W, C) with zeros, p_h rows and p_w columns on each side."""
    top, left = padding
    if not top and not left:
        return x
    tasks, examples, height, width, channels = x.shape
    padded = array_module(x).zeros(
        (tasks, examples, height + 2 * top, width + 2 * left, channels), x.dtype
    )
    padded[:, :, top : top + height, left : left + width] = x
    return padded
