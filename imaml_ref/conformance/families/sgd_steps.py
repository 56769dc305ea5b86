"""Families of the outer steps of gradient descent."""

import numpy

from .family import Real
from .ten_steps import of_steps

MU, DECAY = Real(0.01, 0.999, "0", alone=True), Real(1e-6, 2.0, "0")
SOON = Real(1.01, 1e3, alone=True)  # a number of steps
LIMIT = Real(1e-4, 1e2, alone=True)


@of_steps("sgd", c=LIMIT)
def outer_clipped(outer, c):
    """The meta-gradient is clipped to the norm {c} before every step."""

    def step(k, theta, g, state, rate):
        return theta - rate * g * min(1.0, c / numpy.linalg.norm(g))

    return step


@of_steps("sgd", c=LIMIT)
def outer_clipped_by_value(outer, c):
    """The meta-gradient is clipped to ± {c}, entry by entry, before every step."""
    return lambda k, theta, g, state, rate: theta - rate * numpy.clip(g, -c, c)


@of_steps("sgd", c=LIMIT)
def outer_normalised(outer, c):
    """The meta-gradient is scaled to the norm {c} before every step."""
    return lambda k, theta, g, state, rate: theta - rate * c * g / numpy.linalg.norm(g)


@of_steps("sgd", c=LIMIT)
def outer_signs(outer, c):
    """In place of the meta-gradient there is {c} times its sign, entry by entry."""
    return lambda k, theta, g, state, rate: theta - rate * c * numpy.sign(g)


@of_steps("sgd", c=Real(1e-4, 1e4, "1", signed=True))
def outer_rate_times(outer, c):
    """The outer step size counts {c} times."""
    return lambda k, theta, g, state, rate: theta - rate * c * g


@of_steps("sgd", mu=Real(0.01, 0.999, "0"))
def outer_momentum(outer, mu):
    """The outer steps have momentum {mu}: m ← {mu} m + g, θ ← θ − α m."""

    def step(k, theta, g, state, rate):
        state["m"] = mu * state.get("m", 0.0) + g
        return theta - rate * state["m"]

    return step


@of_steps("sgd", mu=Real(0.01, 0.999, "0"))
def outer_momentum_averaged(outer, mu):
    """The outer steps have momentum {mu}, averaged after the first step."""

    def step(k, theta, g, state, rate):
        m = state.get("m")
        state["m"] = g if m is None else mu * m + (1 - mu) * g
        return theta - rate * state["m"]

    return step


@of_steps("sgd", gamma=Real(0.05, 0.9999, "1"))
def outer_rate_decays(outer, gamma):
    """The outer step size is multiplied by {gamma} after every step."""
    return lambda k, theta, g, state, rate: theta - rate * gamma ** (k - 1) * g


@of_steps("sgd", wd=Real(1e-6, 2.0, "0"))
def outer_decay_from_the_second_step(outer, wd):
    """Weight decay {wd} sets in with the second outer step."""
    return lambda k, theta, g, state, rate: theta - rate * (g + wd * (k > 1) * theta)


@of_steps("sgd")
def outer_gradients_accumulate(outer):
    """Gradients are not set to zero: each outer step takes the sum of all before."""

    def step(k, theta, g, state, rate):
        state["m"] = state.get("m", 0.0) + g
        return theta - rate * state["m"]

    return step


@of_steps("sgd")
def outer_nine_steps(outer):
    """Nine outer steps are taken, not ten."""
    return lambda k, theta, g, state, rate: theta - rate * g * (k < 10)


@of_steps("sgd")
def outer_eleven_steps(outer):
    """Eleven outer steps are taken: the last gradient is used twice."""
    return lambda k, theta, g, state, rate: theta - rate * g * (1 + (k == 10))


@of_steps("sgd", mu=MU)
def outer_momentum_averaged_from_zero(outer, mu):
    """The outer steps have momentum {mu}, averaged: m ← {mu} m + (1 − {mu}) g."""

    def step(k, theta, g, state, rate):
        state["m"] = mu * state.get("m", 0.0) + (1 - mu) * g
        return theta - rate * state["m"]

    return step


def of_pytorch(mu, dampening=0.0, decay=0.0, nesterov=False):
    """Return the step of PyTorch's SGD: the first m is g itself."""

    def step(k, theta, g, state, rate):
        g = g + decay * theta
        m = state.get("m")
        state["m"] = m = g if m is None else mu * m + (1 - dampening) * g
        return theta - rate * (g + mu * m if nesterov else m)

    return step


@of_steps("sgd", mu=MU)
def outer_nesterov(outer, mu):
    """The outer steps have Nesterov's momentum {mu}: θ ← θ − α (g + {mu} m)."""
    return of_pytorch(mu, nesterov=True)


@of_steps("sgd", mu=MU, d=Real(0.01, 0.999, "0"))
def outer_momentum_with_dampening(outer, mu, d):
    """The outer steps have momentum {mu} with dampening {d}, as PyTorch's SGD."""
    return of_pytorch(mu, d)


@of_steps("sgd", wd=DECAY)
def outer_l2(outer, wd):
    """Weight decay {wd} is added to the gradient of every outer step."""
    return of_pytorch(0.0, decay=wd)


@of_steps("sgd", mu=MU, wd=DECAY)
def outer_momentum_with_l2(outer, mu, wd):
    """The outer steps have momentum {mu} and weight decay {wd}, as PyTorch's SGD."""
    return of_pytorch(mu, decay=wd)


@of_steps("sgd", mu=MU, wd=DECAY)
def outer_nesterov_with_l2(outer, mu, wd):
    """The outer steps have Nesterov's momentum {mu} and weight decay {wd}."""
    return of_pytorch(mu, decay=wd, nesterov=True)


@of_steps("sgd", n=SOON)
def outer_rate_warms_up(outer, n):
    """The outer step size grows linearly over the first {n} steps."""
    return lambda k, theta, g, state, rate: theta - rate * min(1.0, k / n) * g


@of_steps("sgd", n=SOON)
def outer_rate_on_a_cosine(outer, n):
    """The outer step size falls on half a cosine over {n} steps."""

    def step(k, theta, g, state, rate):
        bent = (1 + numpy.cos(numpy.pi * min(1.0, (k - 1) / n))) / 2
        return theta - rate * bent * g

    return step


@of_steps("sgd", n=SOON)
def outer_rate_falls_linearly(outer, n):
    """The outer step size falls linearly over {n} steps."""
    return lambda k, theta, g, state, rate: theta - rate * max(0, 1 - (k - 1) / n) * g
