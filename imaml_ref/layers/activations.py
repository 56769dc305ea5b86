"""Activations: y = f(x), entry by entry.

With the slope s = f'(x) and the bend c = f''(x),

    forward    y = f(x)                          jvp      ẏ = s ẋ,   ṡ = c ẋ         (1)
    vjp        x̄ = s ȳ                           vjp_dot  R{x̄} = ṡ ȳ + s R{ȳ}      (2)

Each activation gives s, and c in terms of y and s, so that x need not be kept:

    ReLU       y = max(x, 0)           s = [x > 0]              c = 0            (3)
    leaky      y = x or α x            s = 1 or α               c = 0           (3a)
    softplus   y = log(1 + eˣ)         s = 1 / (1 + e⁻ˣ)            c = s e⁻ʸ        (4)
    tanh       y = tanh x              s = 4 d / (1 + d)²           c = −2 y s       (5)
    ELU        y = x or α (eˣ − 1)     s = 1 or α eˣ                c = 0 or s       (6)

with d = e^(−2|x|).  That is s = 1 − y² and c = s (1 − s) without the difference of two
numbers near one, of which nothing is left where y, or s, has rounded to one.  ReLU's c
is zero where it exists; at x = 0 we take s = c = 0, and so does ELU with the branch for
x ≤ 0.  Comparisons look at the real part: the complex step passes through.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from ..arguments import Settings, number, setting
from ..compute import Array, array_module
from .base import Layer


class Saved(NamedTuple):
    """What the bend is found from, y or x, and the slope s, both shaped like x."""

    kept: Array
    s: Array


class Sloped(Layer):
    """What comes back by (2), once there is s with its tangent."""

    def vjp(self, p, saved, y_bar):
        return {}, saved.s * y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        return {}, saved_dot.s * y_bar + saved.s * y_bar_dot


class Activation(Sloped):
    """y = f(x): a subclass gives f with its slope, and its bend."""

    @abstractmethod
    def value_and_slope(self, x: Array) -> tuple[Array, Array]:
        """Return y = f(x) and s = f'(x), shaped like x."""

    @abstractmethod
    def bend(self, y: Array, s: Array) -> Array:
        """Return c = f''(x) in terms of y and s, shaped like x."""

    def forward(self, p, x):
        y, s = self.value_and_slope(x)
        return y, Saved(y, s)

    def jvp(self, p, saved, p_dot, x_dot):
        y, s = saved
        y_dot = s * x_dot
        return y_dot, Saved(y_dot, self.bend(y, s) * x_dot)


class Softplus(Activation):
    """The smooth ReLU of (4)."""

    def value_and_slope(self, x):
        xp = array_module(x)
        # e^(−|x|) cannot overflow.
        decay = xp.exp(-magnitude(x))
        negative = x.real < 0
        y = xp.where(negative, 0, x) + xp.log1p(decay)
        return y, xp.where(negative, decay, 1) / (1 + decay)

    def bend(self, y, s):
        return s * array_module(y).exp(-y)


class Tanh(Activation):
    """The hyperbolic tangent of (5)."""

    def value_and_slope(self, x):
        xp = array_module(x)
        d = xp.exp(-2 * magnitude(x))
        return xp.tanh(x), 4 * d / (1 + d) ** 2

    def bend(self, y, s):
        return -2 * y * s


@dataclass(frozen=True)
class ELU(Activation, Settings):
    """The exponential linear unit of (6).

    Args:
        alpha: α > 0, minus the limit of f at −∞, in units of y.

    Raises:
        ValueError: If it is out of its range.
    """

    alpha: float = setting(number("(0, inf)"), 1.0)

    def value_and_slope(self, x):
        xp = array_module(x)
        positive = x.real > 0
        low = xp.where(positive, 0, x)
        y = xp.where(positive, x, self.alpha * xp.expm1(low))
        return y, xp.where(positive, 1, self.alpha * xp.exp(low))

    def bend(self, y, s):
        return array_module(y).where(y.real > 0, 0, s)


def magnitude(x: Array) -> Array:
    """Return |x| as x times the sign of its real part, so that it stays analytic."""
    return array_module(x).where(x.real < 0, -x, x)


class Mask(NamedTuple):
    """The slope of ReLU, true for one; its tangent is zero, and so None."""

    s: Array | None


class Kinked(Layer):
    """Two straight lines; c = 0 leaves only the second term of (2)."""

    def jvp(self, p, saved, p_dot, x_dot):
        return saved.s * x_dot, Mask(None)

    def vjp(self, p, saved, y_bar):
        return {}, saved.s * y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        return {}, saved.s * y_bar_dot


class ReLU(Kinked):
    """The kinked unit of (3)."""

    def forward(self, p, x):
        # A choice, not s x: 0 · (−∞) is no number.  What is not a number stays so.
        return array_module(x).where(x.real <= 0, 0, x), Mask(x.real > 0)


@dataclass(frozen=True)
class LeakyReLU(Kinked, Settings):
    """The leaky unit of (3a).

    Args:
        negative_slope: α >= 0, the slope for x ≤ 0.

    Raises:
        ValueError: If it is out of its range.
    """

    negative_slope: float = setting(number("[0, inf)"), 0.01)

    def forward(self, p, x):
        xp = array_module(x)
        s = xp.where(x.real > 0, 1, self.negative_slope).astype(x.real.dtype)
        return s * x, Mask(s)
