"""Families of the outer steps of Adam."""

import numpy

from .family import Real
from .ten_steps import of_steps

BETA = Real(0.01, 0.9999)


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


@of_steps("adam", beta=BETA)
def adam_beta1(outer, beta):
    """Adam's β₁ is {beta}."""
    return corrected_step(outer, beta, outer["beta2"])


@of_steps("adam", beta=BETA)
def adam_beta2(outer, beta):
    """Adam's β₂ is {beta}."""
    return corrected_step(outer, outer["beta1"], beta)


@of_steps("adam")
def adam_betas_swapped(outer):
    """Adam's β₁ and β₂ are swapped."""
    return corrected_step(outer, outer["beta2"], outer["beta1"])


@of_steps("adam")
def amsgrad(outer):
    """Adam keeps the largest second moment: AMSGrad."""

    def step(k, theta, g, state, rate):
        m, s = moments(state, g, outer["beta1"], outer["beta2"])
        state["max"] = numpy.maximum(state.get("max", 0.0), s)
        rms = numpy.sqrt(state["max"] / (1 - outer["beta2"] ** k)) + outer["eps"]
        return theta - rate * m / (1 - outer["beta1"] ** k) / rms

    return step


@of_steps("adam")
def adam_corrected_as_at_first(outer):
    """Adam's correction counts every step as the first."""

    def step(k, theta, g, state, rate):
        m, s = moments(state, g, outer["beta1"], outer["beta2"])
        rms = numpy.sqrt(s / (1 - outer["beta2"])) + outer["eps"]
        return theta - rate * m / (1 - outer["beta1"]) / rms

    return step


@of_steps("adam", wd=Real(1e-6, 2.0, "0"))
def adam_rate_decays(outer, wd):
    """The step size of Adam is multiplied by 1/(1 + {wd} k) at step k, k from 0."""
    plain = corrected_step(outer, outer["beta1"], outer["beta2"])
    return lambda k, theta, g, state, rate: plain(
        k, theta, g, state, rate / (1 + wd * (k - 1))
    )


@of_steps("adam", c=Real(1e-4, 1e4, "1", signed=True))
def adam_rate_times(outer, c):
    """The step size of Adam counts {c} times."""
    plain = corrected_step(outer, outer["beta1"], outer["beta2"])
    return lambda k, theta, g, state, rate: plain(k, theta, g, state, c * rate)


@of_steps("adam")
def adam_counts_from_two(outer):
    """Adam's correction counts steps from 2."""
    plain = corrected_step(outer, outer["beta1"], outer["beta2"])
    return lambda k, theta, g, state, rate: plain(k + 1, theta, g, state, rate)


@of_steps("adam")
def adam_without_its_first_moment(outer):
    """RMSprop in place of Adam, its second moment corrected: there is no first one."""
    return corrected_step(outer, 0.0, outer["beta2"])


@of_steps("adam")
def rmsprop(outer):
    """RMSprop in place of Adam, without correction."""

    def step(k, theta, g, state, rate):
        _, s = moments(state, g, 0.0, outer["beta2"])
        return theta - rate * g / (numpy.sqrt(s) + outer["eps"])

    return step


@of_steps("adam", eps=Real(1e-24, 1e-2, "0"))
def adabelief(outer, eps):
    """AdaBelief in place of Adam: the second moment is of g − m, {eps} added to it."""
    beta1, beta2 = outer["beta1"], outer["beta2"]

    def step(k, theta, g, state, rate):
        state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * g
        apart = g - state["m"]
        state["s"] = beta2 * state.get("s", 0.0) + (1 - beta2) * apart**2 + eps
        rms = numpy.sqrt(state["s"] / (1 - beta2**k)) + outer["eps"]
        return theta - rate * state["m"] / (1 - beta1**k) / rms

    return step


@of_steps("adam")
def adabelief_without_its_own_eps(outer):
    """AdaBelief in place of Adam: the second moment is of g − m."""
    return adabelief(outer, 0.0)
