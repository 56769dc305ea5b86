"""Gated activations: y = x g(x), entry by entry, with a gate g from 0 to 1.

The sweeps are (1) and (2) of ``activations``, with the slope and the bend

    s = y' = g + x g',   c = y'' = 2 g' + x g''                                      (1)

where c is no function of y and s, so that x is kept.  The gates are

    SiLU             g = σ(x)                                                        (2)
    GELU             g = Φ(x),   g' = e^(−x²/2) / √(2π),   g'' = −x g'               (3)
    GELU by tanh     g = (1 + tanh(v/2)) / 2 = σ(v),   v = a (x + b x³),
                     g' = v' σ',   g'' = v'' σ' + v'² σ'',   v' = a (1 + 3b x²),
                     v'' = 6ab x,   a = √(8/π),   b = 0.044715                       (4)

with Φ(x) = erfc(−x/√2) / 2, and, where d = e^(−|v|),

    σ = 1 / (1 + d) or d / (1 + d),   σ' = d / (1 + d)²,   σ'' = −σ' tanh(v/2)       (5)

That is Φ = (1 + erf(x/√2)) / 2, σ' = σ (1 − σ) and σ'' = σ' (1 − 2σ) without the
differences of numbers near one another.

Sources: Hendrycks & Gimpel, "Gaussian Error Linear Units (GELUs)", 2016; Elfwing,
Uchibe & Doya, Neural Networks 107:3-11, 2018 (SiLU).
"""

from abc import abstractmethod
from math import pi

from ..compute import Array, array_module, erfc
from .activations import Saved, Sloped, magnitude


class Gated(Sloped):
    """y = x g(x): a subclass gives g with its first two derivatives."""

    @abstractmethod
    def gate(self, x: Array) -> tuple[Array, Array, Array]:
        """Return g, g' and g'', shaped like x."""

    def forward(self, p, x):
        g, slope, _ = self.gate(x)
        return faded(x, g), Saved(x, g + faded(x, slope))

    def jvp(self, p, saved, p_dot, x_dot):
        x, s = saved
        _, slope, bend = self.gate(x)
        return s * x_dot, Saved(x_dot, (2 * slope + faded(x, bend)) * x_dot)


class SiLU(Gated):
    """The sigmoid linear unit (swish) of (2)."""

    def gate(self, x):
        return logistic(x)


class GELU(Gated):
    """The Gaussian error linear unit of (3)."""

    def gate(self, x):
        slope = array_module(x).exp(-x * x / 2) / (2 * pi) ** 0.5
        return erfc(-x / 2**0.5) / 2, slope, -faded(x, slope)


class GELUTanh(Gated):
    """The approximation (4) of GELU; PyTorch's ``approximate="tanh"``."""

    def gate(self, x):
        a, b = (8 / pi) ** 0.5, 0.044715
        first, second = a * (1 + 3 * b * x * x), 6 * a * b * x
        g, slope, bend = logistic(a * (x + b * x * x * x))
        turning = faded(second, slope) + faded(first * first, bend)
        return g, faded(first, slope), turning


def logistic(v: Array) -> tuple[Array, Array, Array]:
    """Return σ, σ' and σ'' of (5)."""
    xp = array_module(v)
    d = xp.exp(-magnitude(v))
    g, slope = xp.where(v.real < 0, d, 1) / (1 + d), d / (1 + d) ** 2
    return g, slope, -slope * xp.tanh(v / 2)


def faded(x: Array, g: Array) -> Array:
    """Return x g, and zero where g is zero: 0 · ∞ is no number."""
    return array_module(x).where(g == 0, 0, x) * g
