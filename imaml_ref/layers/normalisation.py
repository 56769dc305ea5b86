"""Normalisation over chosen entries: by layer, by group, by instance.

See x as (T, R, S, G, K): R examples, S pixels, G groups of K channels.  Means m(a) run
over the S·K entries of one group of one example; γ and β differ along G and K.  For an
instance K = 1; for a layer S = G = 1, K is what is normalised, R all else.  With ρ the
reciprocal standard deviation, one for each mean,

    forward    x̂ = ρ (x − m(x)),   ρ = (m((x − m(x))²) + ε)^(−1/2),   y = γ x̂ + β   (1)

Differentiating ρ gives ρ̇ = −ρ² m(x̂ ẋ), hence with Π(a) = a − m(a) − x̂ m(x̂ a)

    jvp        R{x̂} = ρ Π(ẋ),   ẏ = γ R{x̂} + γ̇ x̂ + β̇                                (2)

Π is symmetric, ⟨a, Π(b)⟩ = ⟨Π(a), b⟩, and commutes with ρ, but not with γ, which may
differ along K.  So what comes back is g = γ ȳ first, and with Σ over R and S

    vjp        x̄ = ρ Π(g),   γ̄ = Σ x̂ ȳ,   β̄ = Σ ȳ                                   (3)

The product rule on (3), with R{g} = γ̇ ȳ + γ R{ȳ}, gives

    vjp_dot    R{x̄} = ρ̇ Π(g) + ρ (Π(R{g}) − R{x̂} m(x̂ g) − x̂ m(R{x̂} g)),
               R{γ̄} = Σ (x̂ R{ȳ} + R{x̂} ȳ),   R{β̄} = Σ R{ȳ}                          (4)

x̂ and Π(a) are centred a second time, for the reason that ``batch_norm`` gives.  Batch
normalisation is the case R = K = 1; there γ commutes and γ̄, β̄ are the sums in Π, so
that ``batch_norm``, and its twins in ``fused`` and ``kernels``, need fewer passes.

Sources: Ba, Kiros & Hinton, "Layer Normalization", 2016; Wu & He, "Group
Normalization", ECCV 2018; Ulyanov, Vedaldi & Lempitsky, "Instance Normalization", 2016;
(2), (4) follow Pearlmutter, Neural Computation 6(1):147-160, 1994.
"""

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from math import prod
from typing import Any, NamedTuple

from ..arguments import Settings, number, plain, setting, sizes, whole
from ..compute import Array
from .base import Layer


class Saved(NamedTuple):
    """The normalised input (T, R, S, G, K) and its scale (T, R, 1, G, 1)."""

    x_hat: Array
    rho: Array


@dataclass(frozen=True)
class Normalisation(Layer, Settings):
    """Normalise sets of entries, then scale and shift; a subclass says which sets.

    Args:
        eps: ε of (1), in squared units of the input, 1e-5 unless given.
    """

    _: KW_ONLY
    eps: float = setting(number("[0, inf)"), 1e-5)

    @property
    def shapes(self):
        return dict.fromkeys(("gamma", "beta"), (self.num_channels,))

    @abstractmethod
    def sets(self, x_shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return R, S, G and K for an input that ends in the shape of γ."""

    def forward(self, p, x):
        last = self.shapes["gamma"]
        if x.shape[2:][-len(last) :] != last:
            wanted = ", ".join(map(str, ("T", "N", "...", *last)))
            raise ValueError(f"{self} expects x of shape ({wanted}), got {x.shape}")
        a = x.reshape(len(x), *self.sets(x.shape))
        if a.shape[2] * a.shape[4] == 1:
            raise ValueError(
                f"{self} would make zero of each entry of x {x.shape}, normalised "
                "alone; take more channels in a set, or larger images"
            )
        centred = a - mean(a)
        centred -= mean(centred)
        rho = (mean(centred * centred) + self.eps) ** -0.5
        x_hat, shape = rho * centred, a.shape
        y = wide(p["gamma"], shape) * x_hat + wide(p["beta"], shape)
        return y.reshape(x.shape), Saved(x_hat, rho)

    def jvp(self, p, saved, p_dot, x_dot):
        (x_hat, rho), shape = saved, saved.x_hat.shape
        a_dot = x_dot.reshape(shape)
        x_hat_dot = rho * project(x_hat, a_dot)
        rho_dot = -(rho**2) * mean(x_hat * a_dot)
        y_dot = wide(p["gamma"], shape) * x_hat_dot
        y_dot += wide(p_dot["gamma"], shape) * x_hat + wide(p_dot["beta"], shape)
        return y_dot.reshape(x_dot.shape), Saved(x_hat_dot, rho_dot)

    def vjp(self, p, saved, y_bar):
        (x_hat, rho), shape = saved, saved.x_hat.shape
        b = y_bar.reshape(shape)
        x_bar = rho * project(x_hat, wide(p["gamma"], shape) * b)
        return self.named(x_hat * b, b), x_bar.reshape(y_bar.shape)

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        (x_hat, rho), shape = saved, saved.x_hat.shape
        x_hat_dot, rho_dot = saved_dot
        b, b_dot = y_bar.reshape(shape), y_bar_dot.reshape(shape)
        gamma, gamma_dot = wide(p["gamma"], shape), wide(p_dot["gamma"], shape)
        g, g_dot = gamma * b, gamma_dot * b + gamma * b_dot
        moving = project(x_hat, g_dot)
        moving -= x_hat_dot * mean(x_hat * g) + x_hat * mean(x_hat_dot * g)
        x_bar_dot = rho_dot * project(x_hat, g) + rho * moving
        p_bar_dot = self.named(x_hat * b_dot + x_hat_dot * b, b_dot)
        return p_bar_dot, x_bar_dot.reshape(y_bar.shape)

    def named(self, *terms: Array):
        """Return Σ of two (T, R, S, G, K), in the shapes of γ and β."""
        pairs = zip(self.shapes.items(), terms, strict=True)
        return {n: a.sum((1, 2)).reshape(len(a), *shape) for (n, shape), a in pairs}


def features(name: str, value: Any) -> tuple[int, ...]:
    """Return a shape that is not empty; a number n means (n,)."""
    many = hasattr(plain(value), "__len__") and len(value) > 0
    return sizes((28, 28, 64))(name, value if many else (value,))


@dataclass(frozen=True)
class LayerNorm(Normalisation):
    """Normalise over the last axes of (T, N, ...), with γ and β of their shape.

    Of images, ``LayerNorm(C)`` normalises each pixel, ``LayerNorm((H, W, C))`` each
    image; the latter with one γ and β per channel is ``GroupNorm(1, C)``.

    Args:
        normalized_shape: Sizes of the axes; a number is that of the last one.

    Raises:
        ValueError: If a setting is out of its range.
    """

    normalized_shape: tuple[int, ...] = setting(features)

    @property
    def shapes(self):
        return dict.fromkeys(("gamma", "beta"), self.normalized_shape)

    def sets(self, x_shape):
        rest = x_shape[1 : -len(self.normalized_shape)]
        return prod(rest), 1, 1, prod(self.normalized_shape)


@dataclass(frozen=True)
class GroupNorm(Normalisation):
    """Normalise groups of channels of each example, (T, N, C) or (T, N, H, W, C).

    Args:
        num_groups: G; one is layer normalisation of whole examples.
        num_channels: C, a multiple of G; neighbours are in a group.

    Raises:
        ValueError: If a setting is out of its range, or G does not divide C.
    """

    num_groups: int = setting(whole())
    num_channels: int = setting(whole())

    def __post_init__(self):
        super().__post_init__()
        G, C = self.num_groups, self.num_channels
        if C % G:
            raise ValueError(f"num_channels must be a multiple of {G} groups, got {C}")

    def sets(self, x_shape):
        G, C = self.num_groups, self.num_channels
        return x_shape[1], prod(x_shape[2:-1]), G, C // G


@dataclass(frozen=True)
class InstanceNorm2d(Normalisation):
    """Normalise each channel of each image, (T, N, H, W, C), alone.

    Args:
        num_channels: C; with γ and β, as PyTorch has them with ``affine=True``.

    Raises:
        ValueError: If a setting is out of its range.
    """

    num_channels: int = setting(whole())

    def sets(self, x_shape):
        return x_shape[1], prod(x_shape[2:-1]), self.num_channels, 1


def project(x_hat: Array, a: Array) -> Array:
    """Return Π(a), a without its mean and its share of x̂."""
    projected = a - x_hat * mean(x_hat * a)
    projected -= mean(projected)
    return projected - mean(projected)


def mean(a: Array) -> Array:
    """Return m(a): (T, R, S, G, K) -> (T, R, 1, G, 1)."""
    return a.mean((2, 4), keepdims=True)


def wide(p: Array, shape: tuple[int, ...]) -> Array:
    """Line a parameter (T, ...) up with the shape (T, R, S, G, K)."""
    return p.reshape(len(p), 1, 1, *shape[3:])
