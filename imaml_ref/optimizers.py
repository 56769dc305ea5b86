"""Step rules of both loops: pure functions of (θ, gradient, state), or of φ for θ.

    SGD        θ ← θ − α g
    Momentum   u ← β u + g,   θ ← θ − α u
    Adam       m ← β₁ m + (1 − β₁) g,   s ← β₂ s + (1 − β₂) g²,
               θ ← θ − α_k (m / (1 − β₁ᵏ)) / (√(s / (1 − β₂ᵏ)) + ε)  at step k = 1, 2, …
               α_k = α 2^(−(k − 1)/h),   constant where the half-life h is infinite

Sources: Polyak, "Some methods of speeding up the convergence of iteration methods",
USSR Computational Mathematics and Mathematical Physics 4(5):1-17, 1964; Kingma & Ba,
"Adam: A Method for Stochastic Optimization", ICLR 2015, alg. 1; its α_t of section 4 is
here a geometric sequence, which asks for no last step.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .arguments import Settings, number, setting
from .compute import Array, array_module, norm

State = dict[str, Array]


def steps(
    gradient: Callable[[Array], Array], phi: Array, rules: Iterable[Any]
) -> Iterator[tuple[Array, Array]]:
    """Yield φ after each step, and the norm (T,) of the gradient that made it.

    Args:
        gradient: φ ↦ the gradient, (T, P) -> (T, P).
        phi: Where to start, (T, P).
        rules: The rule of each step, all of one kind.
    """
    state = None
    for rule in rules:
        grad = gradient(phi)
        state = rule.init(phi) if state is None else state
        phi, state = rule.step(phi, grad, state)
        yield phi, norm(grad)


def follow(
    gradient: Callable[[Array], Array], phi: Array, rules: Iterable[Any]
) -> tuple[Array, list[Array]]:
    """Return φ after all ``steps``, and the norms; earlier φ are not kept."""
    norms = []
    for at, length in steps(gradient, phi, rules):
        phi = at
        norms.append(length)
    return phi, norms


@dataclass(frozen=True)
class SGD(Settings):
    """Gradient descent.

    Args:
        step_size: α > 0, in parameter²/loss.

    Raises:
        ValueError: If it is not in its range.
    """

    step_size: float = setting(number("(0, inf)"), 1e-2)

    def init(self, theta: Array) -> State:
        """Return the state before the first step: there is none."""
        return {}

    def step(self, theta: Array, grad: Array, state: State) -> tuple[Array, State]:
        """Return the next θ (P,) and state."""
        return theta - self.step_size * grad, state


@dataclass(frozen=True)
class Momentum(Settings):
    """Polyak's heavy ball.

    Args:
        step_size: α > 0, in parameter²/loss.
        momentum: β in [0, 1), per step.

    Raises:
        ValueError: If a setting is out of its range.
    """

    step_size: float = setting(number("(0, inf)"), 0.1)
    momentum: float = setting(number("[0, 1)"), 0.9)

    def init(self, theta: Array) -> State:
        """Return u before the first step."""
        return {"u": array_module(theta).zeros_like(theta)}

    def step(self, theta: Array, grad: Array, state: State) -> tuple[Array, State]:
        """Return the next θ (P,) and state."""
        u = self.momentum * state["u"] + grad
        return theta - self.step_size * u, {"u": u}


@dataclass(frozen=True)
class Adam(Settings):
    """Adam; the paper's released code sets ε = 1e-3, where it acts on the scale of g.

    Args:
        step_size: α > 0, in units of the parameters.
        beta1: Decay of the mean gradient, per step.
        beta2: Decay of the mean squared gradient, per step.
        eps: ε > 0, in units of the gradient.
        half_life: h > 0, in steps: after h of them, steps are half as long.

    Raises:
        ValueError: If a setting is out of its range.
    """

    step_size: float = setting(number("(0, inf)"), 1e-3)
    beta1: float = setting(number("[0, 1)"), 0.9)
    beta2: float = setting(number("[0, 1)"), 0.999)
    eps: float = setting(number("(0, inf)"), 1e-8)
    half_life: float = setting(number("(0, inf]"), math.inf)

    def init(self, theta: Array) -> State:
        """Return m, s and the count of steps k before the first step."""
        xp = array_module(theta)
        return {
            "m": xp.zeros_like(theta),
            "s": xp.zeros_like(theta),
            "k": xp.zeros((), dtype=int),
        }

    def step(self, theta: Array, grad: Array, state: State) -> tuple[Array, State]:
        """Return the next θ (P,) and state."""
        xp = array_module(theta, grad)
        k = state["k"] + 1
        m = self.beta1 * state["m"] + (1 - self.beta1) * grad
        s = self.beta2 * state["s"] + (1 - self.beta2) * grad * grad
        alpha = self.step_size * 2.0 ** (-(k - 1) / self.half_life)
        rate = alpha * (1 - self.beta2**k) ** 0.5 / (1 - self.beta1**k)
        floor = self.eps * (1 - self.beta2**k) ** 0.5
        step = rate.astype(theta.dtype) * m / (xp.sqrt(s) + floor.astype(theta.dtype))
        return theta - step, {"m": m, "s": s, "k": k}
