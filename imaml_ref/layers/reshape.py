"""Layers without parameters that only move entries: flatten and zero pad.

Both are linear maps y = S x that copy entries, so ẏ = S ẋ, x̄ = Sᵀ ȳ and
R{x̄} = Sᵀ R{ȳ}: nothing is saved but the shape of x.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..arguments import Settings, setting, whole
from ..compute import array_module
from .base import Layer


class Saved(NamedTuple):
    """The shape of x; it has no tangent."""

    x_shape: tuple[int, ...] | None


class Flatten(Layer):
    """Flatten (T, N, ...) to (T, N, D), images in the order height, width, channel."""

    def forward(self, p, x):
        return x.reshape(*x.shape[:2], -1), Saved(x.shape)

    def jvp(self, p, saved, p_dot, x_dot):
        return x_dot.reshape(*x_dot.shape[:2], -1), Saved(None)

    def vjp(self, p, saved, y_bar):
        return {}, y_bar.reshape(saved.x_shape)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        return {}, y_bar_dot.reshape(saved.x_shape)


@dataclass(frozen=True)
class ZeroPad2d(Layer, Settings):
    """Add rows and columns of zeros at the bottom and at the right of (T, N, H, W, C).

    Args:
        bottom: Rows to add, in pixels.
        right: Columns to add, in pixels.

    Raises:
        ValueError: If one is no integer, or below 0.
    """

    bottom: int = setting(whole(0), 1)
    right: int = setting(whole(0), 1)

    def forward(self, p, x):
        if x.ndim != 5:
            raise ValueError(f"ZeroPad2d expects x (T, N, H, W, C), got {x.shape}")
        return self.extended(x), Saved(x.shape)

    def jvp(self, p, saved, p_dot, x_dot):
        return self.extended(x_dot), Saved(None)

    def vjp(self, p, saved, y_bar):
        return {}, self.cropped(y_bar)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        return {}, self.cropped(y_bar_dot)

    def extended(self, x):
        """Return S x."""
        tasks, examples, height, width, channels = x.shape
        shape = (tasks, examples, height + self.bottom, width + self.right, channels)
        y = array_module(x).zeros(shape, x.dtype)
        y[:, :, :height, :width] = x
        return y

    def cropped(self, y):
        """Return Sᵀ y."""
        height, width = y.shape[2] - self.bottom, y.shape[3] - self.right
        return y[:, :, :height, :width]
