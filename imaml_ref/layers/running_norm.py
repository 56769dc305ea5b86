"""Normalisation with given statistics: batch normalisation in evaluation.

With a mean μ and a variance v for each channel, constants that no parameter moves,

    forward    x̂ = ρ (x − μ),   ρ = (v + ε)^(−1/2),   y = γ x̂ + β
    jvp        R{x̂} = ρ ẋ,   ẏ = γ R{x̂} + γ̇ x̂ + β̇
    vjp        x̄ = ργ ȳ,   γ̄ = Σ x̂ ȳ,   β̄ = Σ ȳ
    vjp_dot    R{x̄} = ρ (γ̇ ȳ + γ R{ȳ}),   R{γ̄} = Σ (R{x̂} ȳ + x̂ R{ȳ}),   R{β̄} = Σ R{ȳ}
"""

from dataclasses import dataclass

import numpy

from ..arguments import Brief, adopt, number
from ..compute import array_module
from .base import Layer
from .batch_norm import Saved, narrow, total, wide


@dataclass(frozen=True, eq=False, repr=False)
class RunningNorm2d(Brief, Layer):
    """Normalise as torch's ``BatchNorm2d`` in ``eval()``, whose statistics it is given.

    Args:
        running_mean: μ, (C,).
        running_var: v, (C,).
        eps: ε, in squared units of the input.

    Raises:
        ValueError: If they are not so many finite numbers, or v or ε negative.
    """

    running_mean: numpy.ndarray
    running_var: numpy.ndarray
    eps: float = 1e-5

    def __post_init__(self):
        mu, v = (numpy.asarray(a, float) for a in (self.running_mean, self.running_var))
        alike = mu.ndim == 1 and mu.shape == v.shape and numpy.isfinite(mu + v).all()
        if not alike or (v < 0).any():
            raise ValueError(f"expected finite statistics (C,), no v < 0, got {self}")
        kept = {"running_mean": lambda *_: mu, "running_var": lambda *_: v}
        adopt(self, **kept, eps=number("[0, inf)"))

    @property
    def shapes(self):
        return dict.fromkeys(("gamma", "beta"), self.running_mean.shape)

    def forward(self, p, x):
        C, xp, dtype = len(self.running_mean), array_module(x), x.real.dtype
        if x.ndim != 5 or x.shape[-1] != C:
            raise ValueError(
                f"RunningNorm2d expects x of shape (T, N, H, W, {C}), got {x.shape}"
            )
        both = self.running_mean, (self.running_var + self.eps) ** -0.5
        mu, rho = (xp.asarray(a.astype(dtype)) for a in both)
        x_hat = rho * (x - mu)
        return wide(p["gamma"]) * x_hat + wide(p["beta"]), Saved(x_hat, rho)

    def jvp(self, p, saved, p_dot, x_dot):
        x_hat_dot = saved.rho * x_dot
        y_dot = wide(p["gamma"]) * x_hat_dot + wide(p_dot["gamma"]) * saved.x_hat
        return y_dot + wide(p_dot["beta"]), Saved(x_hat_dot, None)

    def vjp(self, p, saved, y_bar):
        p_bar = {"gamma": total(saved.x_hat * y_bar), "beta": total(y_bar)}
        p_bar = {name: narrow(a) for name, a in p_bar.items()}
        return p_bar, saved.rho * wide(p["gamma"]) * y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        gamma_bar_dot = total(saved_dot.x_hat * y_bar + saved.x_hat * y_bar_dot)
        p_bar_dot = {"gamma": narrow(gamma_bar_dot), "beta": narrow(total(y_bar_dot))}
        moved = wide(p_dot["gamma"]) * y_bar + wide(p["gamma"]) * y_bar_dot
        return p_bar_dot, saved.rho * moved
