"""Mistakes in the outer step: the meta-gradient is right."""

import numpy

from ...optimizers import SGD, Adam
from .base import Mistake


class Uncorrected(Adam):
    """θ ← θ − α m / (√s + ε)."""

    def step(self, theta, grad, state):
        _, state = super().step(theta, grad, state)
        rms = numpy.sqrt(state["s"])
        return theta - self.step_size * state["m"] / (rms + self.eps), state


class EpsInside(Adam):
    """θ ← θ − α m̂ / √(ŝ + ε)."""

    def step(self, theta, grad, state):
        _, state = super().step(theta, grad, state)
        m, s = self.corrected(state)
        return theta - self.step_size * m / numpy.sqrt(s + self.eps), state

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
        return theta - rate * m / (numpy.sqrt(state["s"]) + self.eps), state


class OfTheOuterStep(Mistake):
    """A mistake after the meta-gradient."""

    level = "L6"


class OuterAscent(OfTheOuterStep):
    """The outer step goes up: θ + α g."""

    effect = "the step with the other sign"

    def outer_step(self, case, theta, state):
        after, state = super().outer_step(case, theta, state)
        return 2 * theta - after, state


class StepOfSum(OfTheOuterStep):
    """The outer step takes the tasks' sum, though the meta-gradient is their mean."""

    effect = "the step longer by the number of tasks; less so with Adam"

    def outer_slope(self, case):
        return case.num_tasks * super().outer_slope(case)


class AdamUncorrected(OfTheOuterStep):
    """Adam's moments are not corrected for their start at zero."""

    effect = "first steps of another length"
    kinds = ((Adam, Uncorrected),)


class AdamEpsInside(OfTheOuterStep):
    """Adam adds ε under the root."""

    effect = "shorter steps where the gradient is small"
    kinds = ((Adam, EpsInside),)


class AdamEpsUncorrected(OfTheOuterStep):
    """Adam adds ε to the root of the moment before it is corrected."""

    effect = "ε counts more in the first steps"
    kinds = ((Adam, EpsUncorrected),)


class AdamLeftOut(OfTheOuterStep):
    """The outer step is plain gradient descent where Adam is asked for."""

    effect = "steps as long as the gradient"

    def optimizer(self, case):
        found = super().optimizer(case)
        return SGD(found.step_size) if isinstance(found, Adam) else found


class StateReset(OfTheOuterStep):
    """The optimiser's state is thrown away after every outer step."""

    level = "L7"
    effect = "right without a state; Adam's first step ten times"

    def outer_step(self, case, theta, state):
        return super().outer_step(case, theta, None)


class StaleTheta(OfTheOuterStep):
    """The meta-gradient is always taken at the first θ."""

    level = "L7"
    effect = "ten steps in one direction"

    def outer_step(self, case, theta, state):
        first, kept = (theta, None) if state is None else state
        optimizer = self.optimizer(case)
        kept = optimizer.init(theta) if kept is None else kept
        theta, kept = optimizer.step(theta, self.outer_slope(case.at(first)), kept)
        return theta, (first, kept)
