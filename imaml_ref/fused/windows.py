"""Patches of framed images, and their adjoint, with few and long copies.

Images between blocks carry a frame of zeros as wide as the next convolution wants it,
so that nothing is padded.  A window's row of kw pixels by C channels then lies in one
piece in memory, and patches are copied kw·C entries at a time.

In the adjoint the taps (a, b) of a window write to the pixels whose place modulo the
stride is that of (a − top, b − left).  The first tap that meets every pixel of its
class assigns; the others of the class add.  Nothing has to be zero before.
"""

from typing import NamedTuple

from numpy import add, copyto, ndarray

from ..compute import Array
from ..layers import Pair, Window
from .program import Program


class Frame(NamedTuple):
    """Rows and columns of zeros around an image."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def around(self, height: int, width: int) -> Pair:
        """Return the size of an image with its frame."""
        return self.top + height + self.bottom, self.left + width + self.right

    def array(self, program: Program, shape: tuple[int, ...]) -> Array:
        """Return a framed array for images of a shape (T, N, H, W, C)."""
        tasks, examples, height, width, channels = shape
        return program.array(tasks, examples, *self.around(height, width), channels)

    def inside(self, whole: Array) -> Array:
        """Return the images in a framed array, a view."""
        height, width = whole.shape[2:4]
        rows = slice(self.top, height - self.bottom)
        return whole[:, :, rows, self.left : width - self.right]


NO_FRAME = Frame()


class Margin(NamedTuple):
    """What a convolution wants around its images.

    Args:
        window: Size, stride and padding; no windows at all want no frame.
        bottom: Rows of zeros that a layer before it has added.
        right: Columns likewise.
    """

    window: Window
    bottom: int = 0
    right: int = 0

    def frame(self, height: int, width: int) -> Frame:
        """Return the frame of images of a size; only what a window meets is framed."""
        counts = self.window.counts(height + self.bottom, width + self.right)
        met = [
            (n - 1) * stride + size
            for n, stride, size in zip(
                counts, self.window.stride, self.window.size, strict=True
            )
        ]
        top, left = self.window.padding
        below, beside = met[0] - top - height, met[1] - left - width
        return Frame(top, left, max(0, below), max(0, beside))


NO_MARGIN = Margin(Window((1, 1)))


class Windows:
    """All windows of framed images: their patches, and the adjoint of these.

    Args:
        window: Size and stride; the padding is the frame.
        frame: The frame of the images.
        shape: (T, N, H, W, C) of the images, without it.
    """

    def __init__(self, window: Window, frame: Frame, shape: tuple[int, ...]):
        self.frame, self.shape = frame, shape
        self.size, self.stride = window.size, window.stride
        self.counts = Window(window.size, window.stride).counts(
            *frame.around(*shape[2:4])
        )
        self.row_length = window.size[0] * window.size[1] * shape[-1]

    @property
    def num_rows(self) -> int:
        """R = N·H'·W', the number of windows of a task."""
        return self.shape[1] * self.counts[0] * self.counts[1]

    def patches(self, program: Program, whole: Array) -> Array:
        """Write the patches X (T, R, kh·kw·C) of framed images."""
        X = program.array(self.shape[0], self.num_rows, self.row_length)
        (kh, kw), (down, across), channels = self.size, self.stride, self.shape[-1]
        t, n, h, w, c = whole.strides
        shape = (*self.shape[:2], *self.counts, kh, kw * channels)
        strides = (t, n, down * h, across * w, h, c)
        windows = ndarray(shape, whole.dtype, whole, 0, strides)
        program.do(copyto, X.reshape(shape), windows)
        return X

    def adjoint(self, program: Program, X_bar: Array) -> Array:
        """Write x̄ (T, N, H, W, C), framed, from X̄ (T, R, kh·kw·C)."""
        whole = self.frame.array(program, self.shape)
        x_bar = self.frame.inside(whole)
        X_bar = X_bar.reshape(*self.shape[:2], *self.counts, *self.size, -1)
        taps, covered = self.taps()
        if not covered:
            program.do(copyto, x_bar, 0)
        for tap in taps:
            pixels, entries = x_bar[tap.pixels], X_bar[tap.windows]
            if tap.assigns:
                program.do(copyto, pixels, entries)
            else:
                program.do(add, pixels, entries, pixels)
        return whole

    def taps(self) -> tuple[list["Tap"], bool]:
        """Return the taps, those that assign first, and if they meet all."""
        found, met = [], set()
        rows, columns = (
            [self.along(axis, k) for k in range(self.size[axis])] for axis in (0, 1)
        )
        for a, (y, from_y, place_y, whole_y) in enumerate(rows):
            for b, (x, from_x, place_x, whole_x) in enumerate(columns):
                place = (place_y, place_x)
                assigns = whole_y and whole_x and place not in met
                met |= {place} if assigns else set()
                found.append(
                    Tap((..., y, x, ALL), (..., from_y, from_x, a, b, ALL), assigns)
                )
        height, width = self.shape[2:4]
        classes = min(self.stride[0], height) * min(self.stride[1], width)
        return sorted(found, key=lambda tap: not tap.assigns), len(met) == classes

    def along(self, axis: int, k: int) -> tuple[slice, slice, int, bool]:
        """Return pixels and windows of tap k along an axis, its class, and if whole.

        Window i meets pixel s·i + k − start, where that lies in the image.
        """
        extent, stride, start = (
            self.shape[2 + axis],
            self.stride[axis],
            self.frame[axis],
        )
        first = max(0, -(-(start - k) // stride))
        last = min(self.counts[axis] - 1, (extent - 1 + start - k) // stride)
        offset = k - start
        pixels = range(stride * first + offset, stride * last + offset + 1, stride)
        place = offset % stride
        whole = 0 < len(pixels) == len(range(place, extent, stride))
        where = slice(pixels.start, max(pixels.start, pixels.stop), stride)
        return where, slice(first, max(first, last + 1)), place, whole


class Gathered(Windows):
    """Windows whose patches a block has written already, and whose X̄ it takes."""

    def patches(self, program: Program, whole: Array) -> Array:
        """Return what was written."""
        return whole

    def adjoint(self, program: Program, X_bar: Array) -> Array:
        """Return X̄."""
        return X_bar


ALL = slice(None)


class Tap(NamedTuple):
    """Entry (a, b) of all windows: the pixels it meets, and the windows that do."""

    pixels: tuple
    windows: tuple
    assigns: bool
