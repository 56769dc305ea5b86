"""What one outer step and ten are, from a step, and the meta-gradient on the way.

The first gradient is the user's own answer to L5, where there is one; the ten are the
right ones at every θ on the way.
"""

from typing import Any

import numpy

from ..case import Array
from ..judge import Verdict
from .family import Real, of_answers
from .outer import settings, slope

WHERE = (("L6", "theta"), ("L7", "theta"))


def steps(lab: Any, verdict: Verdict, step) -> Array | None:
    """Return how far one step goes, or ten; step(k, θ, g, state, α) → θ, k from 1."""
    case = lab.case(verdict)
    state: dict[str, Array] = {}
    gradient, theta = lab.slope_of(case), case.theta
    rate = case.outer["step_size"]
    if verdict.level == "L6":
        return step(1, theta, slope(lab, verdict), state, rate) - theta
    for k in range(1, 11):
        theta = step(k, theta, gradient(theta), state, rate)
        if not numpy.isfinite(theta).all() or numpy.abs(theta).max() > 1e8:
            return None
    return theta - case.theta


def is_cheap(lab: Any, verdict: Verdict) -> bool:
    """Whether steps take no time: one, or ten with a gradient that is affine in θ."""
    return verdict.level == "L6" or lab.slope_of(lab.case(verdict)).affine


def of_steps(kind: str, **numbers: Real):
    """Make a family of a step (outer, *values) → step(k, θ, g, state, α)."""

    def make(function):
        def at(lab, verdict, *values):
            outer = settings(lab, verdict, kind)
            if not outer:
                return None
            return steps(lab, verdict, function(outer, *values))

        of_answers(
            "outer", WHERE, bound=True, cheap=is_cheap, named_after=function, **numbers
        )(at)
        return function

    return make
