"""Gradient descent on the proximal objective, and with momentum, and Adam.

    descent    φ_{k+1} = φ_k − α ∇G(φ_k; θ)                                          (1)
    momentum   u_{k+1} = β u_k + ∇G(φ_k; θ),   φ_{k+1} = φ_k − α u_{k+1}             (2)

The proximal term is in every step (it is part of G), not added at the end.  The rules
of the steps are those of ``optimizers``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .. import optimizers
from ..arguments import Settings, brief, number, setting, whole
from ..compute import Array, array_module, norm
from .base import check_progress, starting_point

STEP_SIZE = "step_size (inner-lr of a run)"


def advice(step_size: Any) -> str:
    """Say what helps against divergence."""
    largest = step_size.max() if hasattr(step_size, "shape") else step_size
    return f"lower {STEP_SIZE} below 2/(h_max + λ), now {float(largest):g}"


def positive_sizes(name: str, value: Any) -> Any:
    """Return α as a number, or an array of them as it is.

    Raises:
        ValueError: If one is not finite and > 0.
    """
    if not getattr(value, "ndim", 0):
        return number("(0, inf)")(name, value)
    if value.dtype.kind != "f" or not bool(((value > 0) & (value < math.inf)).all()):
        raise ValueError(f"{name} must be finite numbers > 0, got {brief(value)}")
    return value


@dataclass(frozen=True)
class GradientDescent(Settings):
    """K steps of (1), complex-safe, so that the complex step of θ ↦ φ_K is exact.

    Args:
        step_size: α > 0, in parameter²/loss; where H + Λ is positive definite it
            contracts below 2/(h_max + λ).  A number, or an array of one per parameter
            (P,), as in Meta-SGD, or per layer with parameters (L,), as in MAML++.
        num_steps: K.

    Raises:
        ValueError: If a setting is out of its range.
    """

    step_size: Any = setting(positive_sizes, 0.1)
    num_steps: int = setting(whole(0), 16)

    def sizes(self, objective, theta: Array) -> Any:
        """Return α: a number, or (P,) beside θ in its real dtype."""
        if not hasattr(self.step_size, "shape"):
            return self.step_size
        xp = array_module(theta)
        alpha = xp.asarray(self.step_size, dtype=theta.real.dtype)
        return alpha if alpha.shape == theta.shape else objective.spread(alpha)

    def solve(self, objective, theta: Array, start: Array | None = None) -> Array:
        """Return φ_K (T, P).

        Raises:
            InnerDivergence: If ‖∇G‖ overflows, or grows a thousandfold.
        """
        # A subclass may have other iterates; an objective that forwards what it lacks
        # may have a gradient of its own.
        own = type(self).iterates is not GradientDescent.iterates
        each = hasattr(self.step_size, "shape")
        if own or each or not hasattr(type(objective), "descend"):
            # Not a list of them: memory must not grow with the number of steps.
            for iterate in self.iterates(objective, theta, start):
                phi = iterate
            return phi
        phi_0 = starting_point(objective, theta, start)
        phi, norms = objective.descend(phi_0, self.step_size, self.num_steps)
        check_progress(norms, objective, phi_0, advice(self.step_size))
        return phi

    def iterates(
        self, objective, theta: Array, start: Array | None = None
    ) -> Iterator[Array]:
        """Yield φ_0, …, φ_K, each (T, P).

        Raises:
            InnerDivergence: After φ_K, as in ``solve``.
        """
        phi_0 = starting_point(objective, theta, start)
        phi, norms, alpha = phi_0, [], self.sizes(objective, theta)
        yield phi
        for _ in range(self.num_steps):
            grad = objective.grad(phi)
            phi = phi - alpha * grad
            norms.append(norm(grad))
            yield phi
        check_progress(norms, objective, phi_0, advice(self.step_size))


@dataclass(frozen=True)
class Momentum(Settings):
    """K steps of (2), Polyak's heavy ball.

    Args:
        step_size: α > 0, in parameter²/loss.
        num_steps: K.
        momentum: β in [0, 1), per step.

    Raises:
        ValueError: If a setting is out of its range.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods",
    USSR Computational Mathematics and Mathematical Physics 4(5):1-17, 1964.
    """

    step_size: float = setting(number("(0, inf)"), 0.1)
    num_steps: int = setting(whole(0), 16)
    momentum: float = setting(number("[0, 1)"), 0.9)

    def solve(self, objective, theta: Array, start: Array | None = None) -> Array:
        """Return φ_K (T, P).

        Raises:
            InnerDivergence: If ‖∇G‖ overflows, or grows a thousandfold.
        """
        phi_0 = starting_point(objective, theta, start)
        rules = [optimizers.Momentum(self.step_size, self.momentum)] * self.num_steps
        phi, norms = optimizers.follow(objective.grad, phi_0, rules)
        check_progress(norms, objective, phi_0, advice(self.step_size))
        return phi


@dataclass(frozen=True)
class Adam(Settings):
    """K steps of Adam (``optimizers.Adam``), each task with moments of its own.

    With a constant step size Adam ends in a small cycle about φ*; ``decay`` shrinks the
    step geometrically, from ``step_size`` to ``decay · step_size``, so that it
    converges.

    Args:
        step_size: α > 0, in units of the parameters.
        num_steps: K.
        decay: Last step size over the first, in (0, 1].
        eps: ε > 0, in units of the gradient.

    Raises:
        ValueError: If a setting is out of its range.
    """

    step_size: float = setting(number("(0, inf)"), 1e-2)
    num_steps: int = setting(whole(0), 16)
    decay: float = setting(number("(0, 1]"), 1.0)
    eps: float = setting(number("(0, inf)"), 1e-8)

    def solve(self, objective, theta: Array, start: Array | None = None) -> Array:
        """Return φ_K (T, P).

        Raises:
            InnerDivergence: If ‖∇G‖ overflows, or grows a thousandfold.
        """
        phi_0 = starting_point(objective, theta, start)
        last = max(self.num_steps - 1, 1)
        rates = (
            self.step_size * self.decay ** (k / last) for k in range(self.num_steps)
        )
        rules = (optimizers.Adam(rate, eps=self.eps) for rate in rates)
        phi, norms = optimizers.follow(objective.grad, phi_0, rules)
        check_progress(
            norms, objective, phi_0, f"lower {STEP_SIZE}, now {self.step_size:g}"
        )
        return phi
