"""Families of the gradient through K inner steps (MAML)."""

from collections.abc import Callable
from typing import Any

import numpy

from ..case import Array
from ..judge import Verdict
from .family import Real, of_answers
from .ground import times

Step = float | Callable[[int], float]
WHERE = (("U", "unrolled_grad"),)
MOST = 12


def through(
    lab: Any, verdict: Verdict, step: Step, second: float, pull: bool, only=0,
    **other: Any,
) -> list[Array]:  # fmt: skip
    """Return the gradient (P,) through 1, 2, … inner steps.

    Args:
        lab: Where the case is.
        verdict: Whose answer it is.
        step: α, or a function k ↦ α of step k, from 0.
        second: How often H counts: 1, or 0 without it.
        pull: Whether the steps are of G, not of L.
        only: The one number of steps that is looked at; 0 for all.
        **other: More that ``back`` is told.
    """
    case, subject = lab.case(verdict), lab.subject(*lab.base)
    alpha = step if callable(step) else lambda k: step
    paths = []
    for group in case.groups:
        lam = case.lam if pull else 0.0
        phis = [numpy.repeat(case.theta[None], group.num_tasks, 0)]
        rows = []
        for k in range(only or MOST):
            slope = subject.at_support(group, phis[-1]).grad
            phis.append(phis[-1] - alpha(k) * (slope + lam * (phis[-1] - case.theta)))
            if not numpy.isfinite(phis[-1]).all() or numpy.abs(phis[-1]).max() > 1e6:
                break
            if only in (0, k + 1):
                rows.append(back(subject, group, phis, alpha, lam, second, **other))
        paths.append(rows)
    count = min(map(len, paths))
    return [numpy.concatenate([p[k] for p in paths]).mean(0) for k in range(count)]


def back(
    subject, case, phis: list[Array], alpha, lam, second, later=0, window=MOST
) -> Array:
    """Return dQ_t(φ_K)/dθ (T, P), through the last steps of a window.

    ``later`` is how many steps later H is taken than it should be.
    """
    v = subject.outer_gradient(case, phis[-1])
    if not second:
        return v
    g = numpy.zeros_like(v)
    for k in reversed(range(max(0, len(phis) - 1 - window), len(phis) - 1)):
        H = subject.curvature(case, phis[k + later])
        g = g + alpha(k) * lam * v
        v = v - alpha(k) * (second * times(H, v) + lam * v)
    return g + v


@of_answers("unrolled", WHERE, "k", alpha=Real(0.02, 5.0))
def unrolled_steps(lab, verdict, alpha):
    """The gradient goes through {k} inner steps of size {alpha}."""
    return through(lab, verdict, alpha, True, False)


@of_answers("unrolled", WHERE, "k", alpha=Real(0.02, 5.0))
def unrolled_steps_of_g(lab, verdict, alpha):
    """The gradient goes through {k} inner steps of size {alpha} on G, not on L."""
    return through(lab, verdict, alpha, True, True)


@of_answers("unrolled", WHERE, "k", alpha=Real(0.02, 5.0))
def unrolled_first_order(lab, verdict, alpha):
    """First-order MAML: ∇Q after {k} inner steps of size {alpha}, without H."""
    return through(lab, verdict, alpha, False, False)


def as_asked(lab, verdict, second=1.0, pull=False, step=None, more=0, **other):
    """Return what comes after the K steps of size α that are asked for, and more."""
    asked = lab.case(verdict).unrolled
    step = asked["step_size"] if step is None else step
    count = asked["steps"] + more
    found = count and through(lab, verdict, step, second, pull, count, **other)
    return found[0] if found else None


@of_answers("unrolled", WHERE)
def unrolled_steps_few(lab, verdict):
    """One inner step is too few."""
    return as_asked(lab, verdict, more=-1)


@of_answers("unrolled", WHERE)
def unrolled_steps_many(lab, verdict):
    """One inner step is too many."""
    return as_asked(lab, verdict, more=1)


@of_answers("unrolled", WHERE)
def unrolled_with_the_proximal_term(lab, verdict):
    """The inner steps are on G, with the proximal term, not on L."""
    return as_asked(lab, verdict, pull=True)


@of_answers("unrolled", WHERE, gamma=Real(0.05, 0.9999, "1"))
def unrolled_rate_decays(lab, verdict, gamma):
    """The inner step size is multiplied by {gamma} after every step."""
    alpha = lab.case(verdict).unrolled["step_size"]
    return as_asked(lab, verdict, step=lambda k: alpha * gamma**k)


@of_answers("unrolled", WHERE, c=Real(1e-3, 10.0, "1", signed=True))
def unrolled_curvature_times(lab, verdict, c):
    """The second-order term of the inner steps counts {c} times."""
    return as_asked(lab, verdict, second=c)


@of_answers("unrolled", WHERE)
def unrolled_curvature_after_the_step(lab, verdict):
    """H of an inner step is taken after it, not before."""
    return as_asked(lab, verdict, later=1)


def truncated(window: int, word: str) -> None:
    """Register a gradient through the last steps alone."""

    def at(lab, verdict):
        few = lab.case(verdict).unrolled["steps"] > window
        return as_asked(lab, verdict, window=window) if few else None

    at.__name__ = f"unrolled-through-the-last-{word}"
    at.__doc__ = f"The gradient goes through the last {window} inner steps alone."
    of_answers("unrolled", WHERE)(at)


for window, word in ((1, "one"), (2, "two"), (3, "three")):
    truncated(window, word)
