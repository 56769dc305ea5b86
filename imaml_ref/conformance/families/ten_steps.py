"""Families of ten outer steps, from the right meta-gradient at every θ on the way."""

from typing import Any

import numpy

from ..case import Array
from ..judge import Verdict
from .family import Real, of_answers
from .outer import settings

WHERE = (("L7", "theta"),)
BETA = Real(0.01, 0.9999)


def ten(lab: Any, verdict: Verdict, step) -> Array | None:
    """Return how far ten steps go; step(k, θ, g, state, α) → θ, k from 1."""
    case = lab.case(verdict)
    state: dict[str, Array] = {}
    gradient, theta = lab.slope_of(case), case.theta
    for k in range(1, 11):
        theta = step(k, theta, gradient(theta), state, case.outer["step_size"])
        if not numpy.isfinite(theta).all() or numpy.abs(theta).max() > 1e8:
            return None
    return theta - case.theta


def is_affine(lab: Any, verdict: Verdict) -> bool:
    """Whether ten steps take no time: the gradient is affine in θ."""
    return lab.slope_of(lab.case(verdict)).affine


def of_ten(kind: str, **numbers: Real):
    """Make a family of a step (outer, *values) → step(k, θ, g, state, α)."""

    def make(function):
        def at(lab, verdict, *values):
            outer = settings(lab, verdict, kind)
            if not outer:
                return None
            return ten(lab, verdict, function(outer, *values))

        of_answers(
            "outer", WHERE, bound=True, cheap=is_affine, named_after=function, **numbers
        )(at)
        return function

    return make


@of_ten("sgd", mu=Real(0.01, 0.999, "0"))
def outer_momentum(outer, mu):
    """The outer steps have momentum {mu}: m ← {mu} m + g, θ ← θ − α m."""

    def step(k, theta, g, state, rate):
        state["m"] = mu * state.get("m", 0.0) + g
        return theta - rate * state["m"]

    return step


@of_ten("sgd", mu=Real(0.01, 0.999, "0"))
def outer_momentum_averaged(outer, mu):
    """The outer steps have momentum {mu}, averaged after the first step."""

    def step(k, theta, g, state, rate):
        m = state.get("m")
        state["m"] = g if m is None else mu * m + (1 - mu) * g
        return theta - rate * state["m"]

    return step


@of_ten("sgd", gamma=Real(0.05, 0.9999, "1"))
def outer_rate_decays(outer, gamma):
    """The outer step size is multiplied by {gamma} after every step."""
    return lambda k, theta, g, state, rate: theta - rate * gamma ** (k - 1) * g


@of_ten("sgd", wd=Real(1e-6, 2.0, "0"))
def outer_decay_from_the_second_step(outer, wd):
    """Weight decay {wd} sets in with the second outer step."""
    return lambda k, theta, g, state, rate: theta - rate * (g + wd * (k > 1) * theta)


@of_ten("sgd")
def outer_gradients_accumulate(outer):
    """Gradients are not set to zero: each outer step takes the sum of all before."""

    def step(k, theta, g, state, rate):
        state["m"] = state.get("m", 0.0) + g
        return theta - rate * state["m"]

    return step


@of_ten("sgd")
def outer_nine_steps(outer):
    """Nine outer steps are taken, not ten."""
    return lambda k, theta, g, state, rate: theta - rate * g * (k < 10)


@of_ten("sgd")
def outer_eleven_steps(outer):
    """Eleven outer steps are taken: the last gradient is used twice."""
    return lambda k, theta, g, state, rate: theta - rate * g * (1 + (k == 10))


def moments(state, g, beta1: float, beta2: float):
    """Return Adam's moments after a gradient."""
    state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * g
    state["s"] = beta2 * state.get("s", 0.0) + (1 - beta2) * g * g
    return state["m"], state["s"]


def corrected_step(outer, beta1, beta2):
    """Return Adam's step with other β."""

    def step(k, theta, g, state, rate):
        m, s = moments(state, g, beta1, beta2)
        rms = numpy.sqrt(s / (1 - beta2**k)) + outer["eps"]
        return theta - rate * m / (1 - beta1**k) / rms

    return step


@of_ten("adam", beta=BETA)
def adam_beta1(outer, beta):
    """Adam's β₁ is {beta}."""
    return corrected_step(outer, beta, outer["beta2"])


@of_ten("adam", beta=BETA)
def adam_beta2(outer, beta):
    """Adam's β₂ is {beta}."""
    return corrected_step(outer, outer["beta1"], beta)


@of_ten("adam")
def adam_betas_swapped(outer):
    """Adam's β₁ and β₂ are swapped."""
    return corrected_step(outer, outer["beta2"], outer["beta1"])


@of_ten("adam")
def amsgrad(outer):
    """Adam keeps the largest second moment: AMSGrad."""

    def step(k, theta, g, state, rate):
        m, s = moments(state, g, outer["beta1"], outer["beta2"])
        state["max"] = numpy.maximum(state.get("max", 0.0), s)
        rms = numpy.sqrt(state["max"] / (1 - outer["beta2"] ** k)) + outer["eps"]
        return theta - rate * m / (1 - outer["beta1"] ** k) / rms

    return step


@of_ten("adam")
def adam_corrected_as_at_first(outer):
    """Adam's correction counts every step as the first."""

    def step(k, theta, g, state, rate):
        m, s = moments(state, g, outer["beta1"], outer["beta2"])
        rms = numpy.sqrt(s / (1 - outer["beta2"])) + outer["eps"]
        return theta - rate * m / (1 - outer["beta1"]) / rms

    return step


@of_ten("adam", wd=Real(1e-6, 2.0, "0"))
def adam_rate_decays(outer, wd):
    """The step size of Adam is multiplied by 1/(1 + {wd} k) at step k, k from 0."""
    plain = corrected_step(outer, outer["beta1"], outer["beta2"])
    return lambda k, theta, g, state, rate: plain(
        k, theta, g, state, rate / (1 + wd * (k - 1))
    )
