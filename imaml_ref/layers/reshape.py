"""Layers without parameters that only move entries: flatten, zero pad, leave out.

All are linear maps y = S x that copy entries (``base.LinearMap``).
"""

from dataclasses import dataclass

from ..arguments import Settings, setting, whole
from ..compute import array_module
from .base import LinearMap


class Flatten(LinearMap):
    """Flatten (T, N, ...) to (T, N, D), images in the order height, width, channel."""

    def map(self, x):
        return x.reshape(*x.shape[:2], -1)

    def adjoint(self, y, x_shape):
        return y.reshape(x_shape)


@dataclass(frozen=True)
class ZeroPad2d(LinearMap, Settings):
    """Add rows and columns of zeros at the bottom and at the right of (T, N, H, W, C).

    Args:
        bottom: Rows to add, in pixels.
        right: Columns to add, in pixels.

    Raises:
        ValueError: If one is no integer, or below 0.
    """

    bottom: int = setting(whole(0), 1)
    right: int = setting(whole(0), 1)

    def map(self, x):
        if x.ndim != 5:
            raise ValueError(f"ZeroPad2d expects x (T, N, H, W, C), got {x.shape}")
        tasks, examples, height, width, channels = x.shape
        shape = (tasks, examples, height + self.bottom, width + self.right, channels)
        y = array_module(x).zeros(shape, x.dtype)
        y[:, :, :height, :width] = x
        return y

    def adjoint(self, y, x_shape):
        return y[:, :, : x_shape[2], : x_shape[3]]


@dataclass(frozen=True)
class AfterSupport(LinearMap, Settings):
    """Leave out the first examples of (T, N, ...), a support set of so many."""

    num_support: int = setting(whole())

    def map(self, x):
        return x[:, self.num_support :]

    def adjoint(self, y, x_shape):
        x_bar = array_module(y).zeros(x_shape, y.dtype)
        x_bar[:, self.num_support :] = y
        return x_bar
