"""Normalisation with the moments of the support set, alone or blended with an image's.

Per task and channel, M = (m, r) are the means of z and z² over the K pixels of an
image, Σ_i sums over these and Σ over images; with S = 1/n for the first n of them, the
support set, and else 0, D(a) = Σ S a − a, and α in [0, 1], image by image,

    forward    z = x − Σ S Σ_i x / K,   (μ, ν) = M + α D(M)
               ρ = (ν − μ² + ε)^(−1/2),   A = γ ρ,   y = A (z − μ) + β               (1)

Of the support set's moments (B) and the image's (I), these are those of the mixture,

    μ = α μ_B + (1 − α) μ_I,   σ² = α (σ_B² + (μ_B − μ)²) + (1 − α) (σ_I² + (μ_I − μ)²)

What is subtracted in z changes no y: it keeps the digits of bright images, moves along,
and needs no line of its own.

    jvp        Ṁ = Σ_i (ż, 2 z ż) / K,   (μ̇, ν̇) = Ṁ + α D(Ṁ) + α̇ D(M)
               ρ̇ = −½ ρ³ (ν̇ − 2 μ μ̇),   ẏ = Ȧ (z − μ) + A (ż − μ̇) + β̇               (2)

With the adjoint Dᵀ(b) = S Σ b − b,

    vjp        B̄ = Σ_i ȳ,   Ā = Σ_i (z − μ) ȳ,   ν̄ = −½ ρ³ γ Ā,   μ̄ = −A B̄ − 2 μ ν̄
               (m̄, r̄) = b + α Dᵀ(b),   b = (μ̄, ν̄),   ᾱ = Σ b·D(M)               (3)
               x̄ = A ȳ + (m̄ + 2 z r̄) / K,   γ̄ = Σ ρ Ā,   β̄ = Σ B̄

and vjp_dot is the product rule on (3).  The sum of x̄ is zero, and made so, as that of
z is: see ``batch_norm``.

Source: Bronskill et al., "TaskNorm: Rethinking Batch Normalization for Meta-Learning",
ICML 2020, TaskNorm-I.  Read was its released code, not its text: there scale and offset
begin at 0, as here, and a variance divides by one less than the count; here by it.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy

from ..arguments import Settings, number, optional, setting, whole
from ..compute import Array, array_module
from .base import Layer
from .batch_norm import mean, narrow, total, wide
from .ops import sum_rows


class Saved(NamedTuple):
    """z (T, N, H, W, C), ρ (T, N, 1, 1, C), M (T, N, 2, 1, C), α, S (N, 1, 1, 1)."""

    z: Array
    rho: Array
    M: Array
    alpha: Any
    share: Array | None


@dataclass(frozen=True)
class SupportNorm2d(Layer, Settings):
    """Batch normalisation, of queries with the moments of the support set: α = 1.

    Args:
        num_channels: C.
        eps: ε of (1), in squared units of the input.
        num_support: n, of which ``Network.given`` tells it; None is all examples.

    Raises:
        ValueError: If a setting is out of its range.
    """

    num_channels: int = setting(whole())
    eps: float = setting(number("[0, inf)"), 1e-5)
    num_support: int | None = setting(optional(whole()), None)

    @property
    def looks_at_support(self):
        return self.num_support is None

    def given(self, num_support):
        return replace(self, num_support=num_support)

    @property
    def shapes(self):
        return {"gamma": (self.num_channels,), "beta": (self.num_channels,)}

    def blend(self, p, n: int) -> Any:
        """Return α, a number or (T, 1, 1, 1, 1)."""
        return 1.0

    def logit(self, p, n: int) -> Any:
        """Return log α/(1 − α), linear in p, or 0 where it is fixed."""
        return 0.0

    def logit_adjoint(self, each: Array, n: int) -> dict[str, Array]:
        """Return p̄ of a logit whose cotangent is the sum of each, (T, N, 2, 1, C)."""
        return {}

    def forward(self, p, x):
        n, C = self.num_support or x.shape[1], self.num_channels
        if x.ndim != 5 or x.shape[-1] != C or x.shape[1] < n:
            shape = f"(T, N, H, W, {C}), N at least {n}"
            raise ValueError(f"{type(self).__name__} expects x {shape}, got {x.shape}")
        inside = array_module(x).arange(x.shape[1]) < n
        share = inside[:, None, None, None].astype(x.real.dtype) / n
        z, alpha = from_support(x, share), self.blend(p, n)
        M = sums(z, z * z) / pixels(x)
        mu, nu = halves(M + alpha * apart(M, share))
        rho = (nu - mu * mu + self.eps) ** -0.5
        y = wide(p["gamma"]) * rho * (z - mu) + wide(p["beta"])
        return y, Saved(z, rho, M, alpha, share)

    def jvp(self, p, saved, p_dot, x_dot):
        (z, rho, M, alpha, share), n = saved, self.num_support or x_dot.shape[1]
        z_dot, D = from_support(x_dot, share), apart(M, share)
        M_dot = sums(z_dot, 2 * z * z_dot) / pixels(z)
        alpha_dot = alpha * (1 - alpha) * self.logit(p_dot, n)
        mu, _ = halves(M + alpha * D)
        mu_dot, nu_dot = halves(M_dot + alpha * apart(M_dot, share) + alpha_dot * D)
        rho_dot = -(rho**3) * (nu_dot - 2 * mu * mu_dot) / 2
        A_dot = wide(p_dot["gamma"]) * rho + wide(p["gamma"]) * rho_dot
        y_dot = A_dot * (z - mu) + wide(p["gamma"]) * rho * (z_dot - mu_dot)
        y_dot += wide(p_dot["beta"])
        return y_dot, Saved(z_dot, rho_dot, M_dot, alpha_dot, None)

    def vjp(self, p, saved, y_bar):
        (z, rho, M, alpha, share), n = saved, self.num_support or y_bar.shape[1]
        gamma, D = wide(p["gamma"]), apart(M, share)
        mu, _ = halves(M + alpha * D)
        B_bar, A_bar = halves(sums(y_bar, (z - mu) * y_bar))
        nu_bar = -(rho**3) * gamma * A_bar / 2
        b = both(-gamma * rho * B_bar - 2 * mu * nu_bar, nu_bar)
        m_bar, r_bar = halves(b + alpha * apart_adjoint(b, share))
        x_bar = gamma * rho * y_bar + (m_bar + 2 * z * r_bar) / pixels(z)
        p_bar = {"gamma": narrow(total(rho * A_bar)), "beta": narrow(total(B_bar))}
        p_bar |= self.logit_adjoint(alpha * (1 - alpha) * b * D, n)
        return p_bar, x_bar - mean(x_bar)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        (z, rho, M, alpha, share), n = saved, self.num_support or y_bar.shape[1]
        z_dot, rho_dot, M_dot, alpha_dot, _ = saved_dot
        D, D_dot, adjoint = apart(M, share), apart(M_dot, share), apart_adjoint
        mu, _ = halves(M + alpha * D)
        mu_dot, _ = halves(M_dot + alpha * D_dot + alpha_dot * D)
        gamma, gamma_dot = wide(p["gamma"]), wide(p_dot["gamma"])
        A, A_dot = gamma * rho, gamma_dot * rho + gamma * rho_dot
        B_bar, A_bar = halves(sums(y_bar, (z - mu) * y_bar))
        bent = (z_dot - mu_dot) * y_bar + (z - mu) * y_bar_dot
        B_bar_dot, A_bar_dot = halves(sums(y_bar_dot, bent))
        nu_bar, rho_bar_dot = -(rho**2) * A * A_bar / 2, gamma_dot * A_bar
        rho_bar_dot += gamma * A_bar_dot
        nu_bar_dot = -(rho**3) * rho_bar_dot / 2 - 3 * rho * rho_dot * A * A_bar / 2
        b = both(-A * B_bar - 2 * mu * nu_bar, nu_bar)
        turned = -A_dot * B_bar - A * B_bar_dot - 2 * mu_dot * nu_bar
        b_dot = both(turned - 2 * mu * nu_bar_dot, nu_bar_dot)
        _, r_bar = halves(b + alpha * adjoint(b, share))
        M_bar_dot = (
            b_dot + alpha * adjoint(b_dot, share) + alpha_dot * adjoint(b, share)
        )
        m_bar_dot, r_bar_dot = halves(M_bar_dot)
        x_bar_dot = m_bar_dot + 2 * (z_dot * r_bar + z * r_bar_dot)
        x_bar_dot = A_dot * y_bar + A * y_bar_dot + x_bar_dot / pixels(z)
        gamma_bar_dot = narrow(total(rho_dot * A_bar + rho * A_bar_dot))
        p_bar_dot = {"gamma": gamma_bar_dot, "beta": narrow(total(B_bar_dot))}
        each = alpha * (1 - alpha) * (b_dot * D + b * D_dot)
        each += (1 - 2 * alpha) * alpha_dot * b * D
        return p_bar_dot | self.logit_adjoint(each, n), x_bar_dot - mean(x_bar_dot)


@dataclass(frozen=True)
class TaskNorm2d(SupportNorm2d):
    """TaskNorm-I: the moments of the support set and of each image, blended.

    α = sigmoid(scale n + offset) has two parameters for all channels, which begin at 0;
    like all others they are part of φ, and the inner loop moves them.
    """

    @property
    def shapes(self):
        return super().shapes | {"scale": (1,), "offset": (1,)}

    def init(self, rng):
        begun = SupportNorm2d(self.num_channels).init(rng)
        return begun | {name: numpy.zeros(1) for name in ("scale", "offset")}

    def blend(self, p, n):
        half = self.logit(p, n) / 2  # the sigmoid, without exp's overflow
        return (1 + array_module(half).tanh(half)) / 2

    def logit(self, p, n):
        return wide(p["scale"] * n + p["offset"])

    def logit_adjoint(self, each, n):
        offset_bar = sum_rows(each.reshape(len(each), -1, 1))
        return {"scale": n * offset_bar, "offset": offset_bar}


def from_support(x: Array, share: Array) -> Array:
    """Return z of (1), whose mean over the support set is zero."""
    for _ in range(2):
        x = x - total(share * sums(x)) / pixels(x)
    return x


def apart(a: Array, share: Array) -> Array:
    """Return D(a), like a, (T, N, 2, 1, C)."""
    return (share * a).sum(1, keepdims=True) - a


def apart_adjoint(b: Array, share: Array) -> Array:
    """Return Dᵀ(b), like b, (T, N, 2, 1, C)."""
    return share * b.sum(1, keepdims=True) - b


def sums(*arrays: Array) -> Array:
    """Return Σ_i of arrays (T, N, H, W, C), side by side, (T, N, 2, 1, C) of two."""
    T, N, _, _, C = arrays[0].shape
    rows = (sum_rows(a.reshape(T * N, -1, C)) for a in arrays)
    return both(*(a.reshape(T, N, 1, 1, C) for a in rows))


def both(*arrays: Array) -> Array:
    """Return arrays (T, N, 1, 1, C) side by side, (T, N, 2, 1, C) of two."""
    return array_module(*arrays).concatenate(arrays, axis=2)


def halves(a: Array) -> tuple[Array, Array]:
    """Return the two of (T, N, 2, 1, C)."""
    return a[:, :, :1], a[:, :, 1:]


def pixels(a: Array) -> int:
    """Return K = H·W."""
    return a.shape[2] * a.shape[3]
