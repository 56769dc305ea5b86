"""Mistakes in the outer step: the meta-gradient is right."""

from dataclasses import dataclass
from typing import Any

import numpy

from ...optimizers import Adam
from .base import Mistake


class Ascent(Mistake):
    """The outer step goes up: θ + α g."""

    name, level = "outer-ascent", "L6"
    effect = "the step with the other sign"

    def outer_step(self, case, theta, state):
        after, state = super().outer_step(case, theta, state)
        return 2 * theta - after, state


class StepOfSum(Mistake):
    """The outer step takes the tasks' sum, though the meta-gradient is their mean."""

    name, level = "step-of-sum", "L6"
    effect = "the step longer by the number of tasks; less so with Adam"

    def optimizer(self, case):
        return Multiplied(super().optimizer(case), case.num_tasks)


class AdamUncorrected(Mistake):
    """Adam's moments are not corrected for their start at zero."""

    name, level = "adam-uncorrected", "L6"
    effect = "first steps of another length"

    def optimizer(self, case):
        return as_kind(Uncorrected, super().optimizer(case))


class AdamEpsInside(Mistake):
    """Adam adds ε under the root."""

    name, level = "adam-eps-inside", "L6"
    effect = "shorter steps where the gradient is small"

    def optimizer(self, case):
        return as_kind(EpsInside, super().optimizer(case))


class AdamEpsUncorrected(Mistake):
    """Adam adds ε to the root of the moment before it is corrected."""

    name, level = "adam-eps-uncorrected", "L6"
    effect = "ε counts more in the first steps"

    def optimizer(self, case):
        return as_kind(EpsUncorrected, super().optimizer(case))


class PlainSteps(Mistake):
    """The outer step is plain gradient descent where Adam is asked for."""

    name, level = "adam-left-out", "L6"
    effect = "steps as long as the gradient"

    def optimizer(self, case):
        found = super().optimizer(case)
        return PlainDescent(found.step_size) if isinstance(found, Adam) else found


class StateReset(Mistake):
    """The optimiser's state is thrown away after every outer step."""

    name, level = "state-reset", "L7"
    effect = "right without a state; Adam's first step ten times"

    def outer_step(self, case, theta, state):
        return super().outer_step(case, theta, None)


class StaleTheta(Mistake):
    """The meta-gradient is always taken at the first θ."""

    name, level = "stale-theta", "L7"
    effect = "ten steps in one direction"

    def outer_step(self, case, theta, state):
        first, kept = (theta, None) if state is None else state
        optimizer = self.optimizer(case)
        kept = optimizer.init(theta) if kept is None else kept
        theta, kept = optimizer.step(theta, self.meta_grad(case.at(first)), kept)
        return theta, (first, kept)


@dataclass(frozen=True)
class Multiplied:
    """An optimiser that is given a multiple of the gradient.

    Args:
        inner: The optimiser.
        factor: The multiple.
    """

    inner: Any
    factor: float

    def init(self, theta):
        return self.inner.init(theta)

    def step(self, theta, grad, state):
        return self.inner.step(theta, self.factor * grad, state)


@dataclass(frozen=True)
class PlainDescent:
    """Gradient descent that keeps no state.

    Args:
        step_size: α.
    """

    step_size: float

    def init(self, theta):
        return {}

    def step(self, theta, grad, state):
        return theta - self.step_size * grad, state


class Uncorrected(Adam):
    """θ ← θ − α m / (√s + ε)."""

    def step(self, theta, grad, state):
        _, state = super().step(theta, grad, state)
        return theta - self.step_size * state["m"] / (
            root(state["s"]) + self.eps
        ), state


class EpsInside(Adam):
    """θ ← θ − α m̂ / √(ŝ + ε)."""

    def step(self, theta, grad, state):
        _, state = super().step(theta, grad, state)
        m, s = self.corrected(state)
        return theta - self.step_size * m / root(s + self.eps), state

    def corrected(self, state):
        """Return m̂ and ŝ."""
        k = state["k"]
        return state["m"] / (1 - self.beta1**k), state["s"] / (1 - self.beta2**k)


class EpsUncorrected(EpsInside):
    """θ ← θ − α √(1 − β₂ᵏ) m̂ / (√s + ε)."""

    def step(self, theta, grad, state):
        _, state = Adam.step(self, theta, grad, state)
        m, _ = self.corrected(state)
        rate = self.step_size * (1 - self.beta2 ** state["k"]) ** 0.5
        return theta - rate * m / (root(state["s"]) + self.eps), state


def root(s):
    """Return √s."""
    return numpy.sqrt(s)


def as_kind(kind: type[Adam], optimizer: Any) -> Any:
    """Return an Adam of another kind with the same numbers; others stay."""
    return kind(**vars(optimizer)) if isinstance(optimizer, Adam) else optimizer
