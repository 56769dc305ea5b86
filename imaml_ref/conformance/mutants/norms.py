"""Batch normalisation that is wrong, and differentiates what it computes.

With c = x − m(x), w = m(c²) and ρ a function of w,

    forward    y = γ ρ c + β                                                         (1)
    jvp        ċ = ẋ − m(ẋ),   ẇ = 2 m(c ẋ),   ρ̇ = ρ′ ẇ,
               ẏ = γ (ρ ċ + ρ̇ c) + γ̇ ρ c + β̇                                         (2)
    vjp        g = γ ȳ,   a = m(g c),   c̄ = ρ g + 2 ρ′ a c,   x̄ = c̄ − m(c̄)           (3)

and ``vjp_dot`` is the product rule on (3).
"""

from typing import NamedTuple

from ...compute import Array
from ...layers import BatchNorm2d, RunningNorm2d
from ...layers import batch_norm as bn


class Moments(NamedTuple):
    """The centred input c (T, N, H, W, C) and its variance w (T, 1, 1, 1, C)."""

    c: Array
    w: Array


def of_parameters(gamma_bar: Array, beta_bar: Array) -> dict[str, Array]:
    """Return cotangents of γ and β, summed over all places of a channel."""
    sums = {"gamma": bn.total(gamma_bar), "beta": bn.total(beta_bar)}
    return {name: bn.narrow(a) for name, a in sums.items()}


class OtherScale(BatchNorm2d):
    """Batch normalisation with another ρ(w)."""

    def scale(self, w: Array, places: int) -> tuple[Array, Array, Array]:
        """Return ρ, ρ′ and ρ″ of the variance w over some places."""
        raise NotImplementedError

    def forward(self, p, x):
        c = x - bn.mean(x)
        w = bn.mean(c * c)
        rho, _, _ = self.scale(w, bn.count(x))
        return bn.wide(p["gamma"]) * rho * c + bn.wide(p["beta"]), Moments(c, w)

    def jvp(self, p, saved, p_dot, x_dot):
        (c, w), places = saved, bn.count(x_dot)
        rho, slope, _ = self.scale(w, places)
        c_dot, w_dot = x_dot - bn.mean(x_dot), 2 * bn.mean(c * x_dot)
        y_dot = bn.wide(p["gamma"]) * (rho * c_dot + slope * w_dot * c)
        y_dot += bn.wide(p_dot["gamma"]) * rho * c + bn.wide(p_dot["beta"])
        return y_dot, Moments(c_dot, w_dot)

    def vjp(self, p, saved, y_bar):
        c, w = saved
        rho, slope, _ = self.scale(w, bn.count(y_bar))
        g = bn.wide(p["gamma"]) * y_bar
        c_bar = rho * g + 2 * slope * bn.mean(g * c) * c
        p_bar = of_parameters(rho * c * y_bar, y_bar)
        return p_bar, c_bar - bn.mean(c_bar)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        (c, w), (c_dot, w_dot) = saved, saved_dot
        rho, slope, bend = self.scale(w, bn.count(y_bar))
        g = bn.wide(p["gamma"]) * y_bar
        g_dot = bn.wide(p_dot["gamma"]) * y_bar + bn.wide(p["gamma"]) * y_bar_dot
        a, a_dot = bn.mean(g * c), bn.mean(g_dot * c + g * c_dot)
        c_bar_dot = slope * w_dot * g + rho * g_dot
        c_bar_dot += 2 * (bend * w_dot * a * c + slope * (a_dot * c + a * c_dot))
        x_hat_dot = rho * c_dot + slope * w_dot * c
        p_bar_dot = of_parameters(x_hat_dot * y_bar + rho * c * y_bar_dot, y_bar_dot)
        return p_bar_dot, c_bar_dot - bn.mean(c_bar_dot)


class UnbiasedNorm(OtherScale):
    """ρ = (s w + ε)^(−1/2) with s = n / (n − 1)."""

    def scale(self, w, places):
        s = places / (places - 1)
        inner = s * w + self.eps
        return inner**-0.5, -s / 2 * inner**-1.5, 3 * s * s / 4 * inner**-2.5


class EpsOutsideNorm(OtherScale):
    """ρ = 1 / (√w + ε)."""

    def scale(self, w, places):
        sigma = w**0.5
        rho = 1 / (sigma + self.eps)
        slope = -(rho**2) / (2 * sigma)
        return rho, slope, rho**3 / (2 * w) + rho**2 / (4 * sigma**3)


class ConstantStatisticsNorm(BatchNorm2d):
    """Mean and ρ of the batch, as if they were constants when differentiating."""

    jvp, vjp, vjp_dot = RunningNorm2d.jvp, RunningNorm2d.vjp, RunningNorm2d.vjp_dot


class GivenStatisticsNorm(ConstantStatisticsNorm):
    """Mean and ρ of another batch, constants.

    Args:
        norm: The layer whose sizes it takes.
        statistics: Mean and ρ, (T, 1, 1, 1, C) each.
    """

    def __init__(self, norm: BatchNorm2d, statistics: tuple[Array, Array]):
        super().__init__(norm.num_channels, norm.eps)
        object.__setattr__(self, "statistics", statistics)

    def forward(self, p, x):
        middle, rho = self.statistics  # type: ignore[attr-defined]
        x_hat = rho * (x - middle)
        return bn.wide(p["gamma"]) * x_hat + bn.wide(p["beta"]), bn.Saved(x_hat, rho)


class ConstantScaleNorm(BatchNorm2d):
    """Right but for second derivatives, in which ρ does not move."""

    def jvp(self, p, saved, p_dot, x_dot):
        y_dot, _ = super().jvp(p, saved, p_dot, x_dot)
        return y_dot, bn.Saved(saved.rho * (x_dot - bn.mean(x_dot)), 0 * saved.rho)
