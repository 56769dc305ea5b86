"""Pooling over windows that do not overlap: the maximum, and the mean.

Write the window's kh·kw entries as an axis k of its own, x (…, k); rows and columns
that do not fill a window are cut off, as is usual.  Both are y = Σ_k w_k x_k:

    max-pool       w_k = 1 for the largest x_k (the first of equals), else 0         (1)
    average-pool   w_k = 1 / (kh·kw)                                                 (2)

and the weights are constant wherever they are differentiable, so

    jvp  ẏ = Σ_k w_k ẋ_k      vjp  x̄_k = w_k ȳ      vjp_dot  R{x̄}_k = w_k R{ȳ}     (3)

The largest is found by the real part: the complex step passes through.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..arguments import Settings, pair, setting
from ..compute import Array, array_module
from .base import Layer, LinearMap
from .ops import Pair


class MaxSaved(NamedTuple):
    """The weights of (1), (T, N, H', W', C, kh·kw), and the shape of x: no tangents."""

    w: Array | None
    x_shape: tuple[int, ...] | None


@dataclass(frozen=True)
class MaxPool2d(Layer, Settings):
    """The largest entry of each window, per channel.

    Args:
        window: (kh, kw), in pixels; the windows lie side by side.

    Raises:
        ValueError: If it is no pair of integers above 0.
    """

    window: Pair = setting(pair(1), (2, 2))

    def forward(self, p, x):
        xp = array_module(x)
        x_k = split(x, self.window)
        wins = x_k.real.argmax(-1)[..., None] == xp.arange(x_k.shape[-1])
        # A choice, not w x: 0 · (−∞) is no number.
        y = xp.where(wins, x_k, 0).sum(-1)
        return y, MaxSaved(wins.astype(x.real.dtype), x.shape)

    def jvp(self, p, saved, p_dot, x_dot):
        return (saved.w * split(x_dot, self.window)).sum(-1), MaxSaved(None, None)

    def vjp(self, p, saved, y_bar):
        return {}, join(saved.w * y_bar[..., None], self.window, saved.x_shape)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        return {}, join(saved.w * y_bar_dot[..., None], self.window, saved.x_shape)


@dataclass(frozen=True)
class AveragePool2d(LinearMap, Settings):
    """The mean of each window, per channel.

    Args:
        window: (kh, kw), in pixels; the windows lie side by side.

    Raises:
        ValueError: If it is no pair of integers above 0.
    """

    window: Pair = setting(pair(1), (2, 2))

    def map(self, x):
        return split(x, self.window).mean(-1)

    def adjoint(self, y, x_shape):
        """Give every entry of a window its share y / (kh·kw)."""
        kh, kw = self.window
        share = (y / (kh * kw)).repeat(kh, axis=2).repeat(kw, axis=3)
        x = array_module(y).zeros(x_shape, y.dtype)
        x[:, :, : share.shape[2], : share.shape[3]] = share
        return x


class GlobalAveragePool2d(LinearMap):
    """The mean over all pixels, per channel: (T, N, H, W, C) to (T, N, C)."""

    def map(self, x):
        if x.ndim != 5:
            raise ValueError(
                f"GlobalAveragePool2d expects x of shape (T, N, H, W, C), got {x.shape}"
            )
        return x.mean((2, 3))

    def adjoint(self, y, x_shape):
        """Give every pixel its share y / (H·W), as a contiguous array."""
        x = array_module(y).zeros(x_shape, y.dtype)
        x += y[:, :, None, None] / (x_shape[2] * x_shape[3])
        return x


def split(x: Array, window: Pair) -> Array:
    """Give each window's entries an axis: (T, N, H, W, C) -> (T, N, H', W', C, kh·kw).

    Raises:
        ValueError: If x is no batch of images, or smaller than a window.
    """
    kh, kw = window
    if x.ndim != 5 or x.shape[2] < kh or x.shape[3] < kw:
        raise ValueError(
            f"pooling expects x of shape (T, N, H, W, C) with at least {kh} × {kw} "
            f"pixels, got {x.shape}"
        )
    tasks, examples, height, width, channels = x.shape
    rows, columns = height // kh, width // kw
    x = x[:, :, : rows * kh, : columns * kw]
    x = x.reshape(tasks, examples, rows, kh, columns, kw, channels)
    x = x.transpose(0, 1, 2, 4, 6, 3, 5)
    return x.reshape(tasks, examples, rows, columns, channels, kh * kw)


def join(x_k: Array, window: Pair, shape: tuple[int, ...]) -> Array:
    """The adjoint of ``split``: put the entries back; what was cut off is zero."""
    kh, kw = window
    tasks, examples, rows, columns, channels, _ = x_k.shape
    x_k = x_k.reshape(tasks, examples, rows, columns, channels, kh, kw)
    x_k = x_k.transpose(0, 1, 2, 5, 3, 6, 4)
    x = array_module(x_k).zeros(shape, x_k.dtype)
    x[:, :, : rows * kh, : columns * kw] = x_k.reshape(
        tasks, examples, rows * kh, columns * kw, channels
    )
    return x
