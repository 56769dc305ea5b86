"""The linear layer, and a flat view of images for it.

With one row per example, x (N, D_in) and W (D_in, D_out),

    forward    y = x W + b                                                           (1)
    jvp        ẏ = ẋ W + x Ẇ + ḃ                                                     (2)
    vjp        W̄ = xᵀ ȳ,   b̄ = Σ_rows ȳ,   x̄ = ȳ Wᵀ                                  (3)
    vjp_dot    R{W̄} = ẋᵀ ȳ + xᵀ R{ȳ},   R{b̄} = Σ_rows R{ȳ},
               R{x̄} = R{ȳ} Wᵀ + ȳ Ẇᵀ                                                (4)

Source: Pearlmutter, Neural Computation 6(1):147-160, 1994, section 4.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..arguments import Settings, setting, whole
from ..compute import Array
from .base import Layer
from .ops import sum_rows


class Saved(NamedTuple):
    """The input x (T, N, D_in)."""

    x: Array


@dataclass(frozen=True)
class Linear(Layer, Settings):
    """Map (T, N, D_in) to (T, N, D_out), with a kernel (D_in, D_out) and a bias.

    Args:
        in_features: D_in.
        out_features: D_out.

    Raises:
        ValueError: If a size is no integer above 0.
    """

    in_features: int = setting(whole())
    out_features: int = setting(whole())

    @property
    def shapes(self):
        return {
            "kernel": (self.in_features, self.out_features),
            "bias": (self.out_features,),
        }

    def forward(self, p, x):
        if x.ndim != 3 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"Linear expects x of shape (T, N, {self.in_features}), got {x.shape}"
            )
        return x @ p["kernel"] + p["bias"][:, None], Saved(x)

    def jvp(self, p, saved, p_dot, x_dot):
        y_dot = x_dot @ p["kernel"] + saved.x @ p_dot["kernel"] + p_dot["bias"][:, None]
        return y_dot, Saved(x_dot)

    def vjp(self, p, saved, y_bar):
        p_bar = {"kernel": saved.x.swapaxes(1, 2) @ y_bar, "bias": sum_rows(y_bar)}
        return p_bar, y_bar @ p["kernel"].swapaxes(1, 2)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        x, x_dot = saved.x.swapaxes(1, 2), saved_dot.x.swapaxes(1, 2)
        p_bar_dot = {
            "kernel": x_dot @ y_bar + x @ y_bar_dot,
            "bias": sum_rows(y_bar_dot),
        }
        W, W_dot = p["kernel"].swapaxes(1, 2), p_dot["kernel"].swapaxes(1, 2)
        return p_bar_dot, y_bar_dot @ W + y_bar @ W_dot
