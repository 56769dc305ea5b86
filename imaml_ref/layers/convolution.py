"""Convolution (cross-correlation, as is usual), with stride, zero padding and bias.

With X the matrix of patches of x (``ops.patches``), one row per example and output
pixel, and W the kernel as a matrix (kh·kw·C_in, C_out),

    forward    Y = X W + b                                                           (1)
    jvp        Ẏ = Ẋ W + X Ẇ + ḃ,   Ẋ the patches of ẋ                               (2)

Patches are linear in x; their adjoint is ``ops.patches_adjoint``.  Hence

    vjp        W̄ = Xᵀ Ȳ,   b̄ = Σ_rows Ȳ,   X̄ = Ȳ Wᵀ,   x̄ = patchesᵀ(X̄)             (3)

and the product rule on (3) gives

    vjp_dot    R{W̄} = Ẋᵀ Ȳ + Xᵀ R{Ȳ},   R{b̄} = Σ_rows R{Ȳ},
               R{X̄} = R{Ȳ} Wᵀ + Ȳ Ẇᵀ,   R{x̄} = patchesᵀ(R{X̄})                       (4)

Source: (4) follows Pearlmutter, Neural Computation 6(1):147-160, 1994.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..arguments import Settings, pair, setting, truth, whole
from ..compute import Array
from .base import Layer
from .ops import Pair, Window, patches, patches_adjoint, sum_rows


class Saved(NamedTuple):
    """The patches X (T, N·H'·W', kh·kw·C_in), and the shape of x."""

    X: Array
    x_shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Conv2d(Layer, Settings):
    """Correlate (T, N, H, W, C_in) with a kernel (kh, kw, C_in, C_out).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: (kh, kw), in pixels.
        stride: Pixels between neighbouring windows, (down, across).
        padding: Rows and columns of zeros on each side.
        use_bias: Whether there is a b.

    Raises:
        ValueError: If a size is no integer, or no pair of them, in its range.
    """

    in_channels: int = setting(whole())
    out_channels: int = setting(whole())
    kernel_size: Pair = setting(pair(1), (3, 3))
    stride: Pair = setting(pair(1), (1, 1))
    padding: Pair = setting(pair(0), (0, 0))
    use_bias: bool = setting(truth, True)

    @property
    def shapes(self):
        kernel = {"kernel": (*self.kernel_size, self.in_channels, self.out_channels)}
        return kernel | ({"bias": (self.out_channels,)} if self.use_bias else {})

    @property
    def window(self) -> Window:
        """The geometry of the patches."""
        return Window(self.kernel_size, self.stride, self.padding)

    def forward(self, p, x):
        if x.ndim != 5 or x.shape[-1] != self.in_channels:
            raise ValueError(
                f"Conv2d expects x of shape (T, N, H, W, {self.in_channels}), "
                f"got {x.shape}"
            )
        X = patches(x, self.window)
        y = self.add_bias(p, X @ self.matrix(p))
        rows, columns = self.window.counts(*x.shape[2:4])
        y = y.reshape(*x.shape[:2], rows, columns, self.out_channels)
        return y, Saved(X, x.shape)

    def jvp(self, p, saved, p_dot, x_dot):
        X_dot = patches(x_dot, self.window)
        y_dot = X_dot @ self.matrix(p)
        y_dot += saved.X @ self.matrix(p_dot)
        y_dot = self.add_bias(p_dot, y_dot)
        rows, columns = self.window.counts(*x_dot.shape[2:4])
        y_dot = y_dot.reshape(*x_dot.shape[:2], rows, columns, self.out_channels)
        return y_dot, Saved(X_dot, None)

    def vjp(self, p, saved, y_bar):
        Y_bar = self.rows(y_bar)
        W_bar = saved.X.swapaxes(1, 2) @ Y_bar
        X_bar = Y_bar @ self.matrix(p).swapaxes(1, 2)
        p_bar = self.named(W_bar, Y_bar)
        return p_bar, patches_adjoint(X_bar, self.window, saved.x_shape)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        Y_bar, Y_bar_dot = self.rows(y_bar), self.rows(y_bar_dot)
        W_bar_dot = saved_dot.X.swapaxes(1, 2) @ Y_bar
        W_bar_dot += saved.X.swapaxes(1, 2) @ Y_bar_dot
        X_bar_dot = Y_bar_dot @ self.matrix(p).swapaxes(1, 2)
        X_bar_dot += Y_bar @ self.matrix(p_dot).swapaxes(1, 2)
        p_bar_dot = self.named(W_bar_dot, Y_bar_dot)
        return p_bar_dot, patches_adjoint(X_bar_dot, self.window, saved.x_shape)

    def matrix(self, p) -> Array:
        """Return W: (T, kh, kw, C_in, C_out) -> (T, kh·kw·C_in, C_out), a view."""
        return p["kernel"].reshape(len(p["kernel"]), -1, self.out_channels)

    def rows(self, y: Array) -> Array:
        """Return Y: (T, N, H', W', C_out) -> (T, N·H'·W', C_out), a view."""
        return y.reshape(len(y), -1, self.out_channels)

    def add_bias(self, p, Y: Array) -> Array:
        """Return Y + b, or Y where there is no bias."""
        if self.use_bias:
            Y += p["bias"][:, None]
        return Y

    def named(self, W_bar: Array, Y_bar: Array):
        """Return W̄ in the kernel's shape and, where there is a bias, Σ_rows Ȳ."""
        p_bar = {"kernel": W_bar.reshape(len(W_bar), *self.shapes["kernel"])}
        return p_bar | ({"bias": sum_rows(Y_bar)} if self.use_bias else {})
