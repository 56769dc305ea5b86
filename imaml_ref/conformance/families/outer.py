"""Families of one outer step: how far θ goes, from a meta-gradient.

The gradient is the user's own answer to L5, where there is one: what is wrong below is
not looked for once more.
"""

from typing import Any

import numpy

from ..case import Array
from ..judge import Verdict
from .family import Real, of_answers

WHERE = (("L6", "theta"),)


def slope(lab: Any, verdict: Verdict) -> Array:
    """Return the gradient (P,) of the first step."""
    own = lab.own.get((verdict.case, "L5", "meta_grad"))
    if own is not None and own.agreement is not None:
        return own.got.astype(float)
    return lab.case(verdict).answers["L5"]["meta_grad"].want


def settings(lab: Any, verdict: Verdict, kind: str) -> Any:
    """Return the numbers of the optimiser of a case; None if it is another."""
    outer = lab.case(verdict).outer
    return outer if outer.get("optimizer") == kind else None


def sums(lab: Any, verdict: Verdict) -> dict[str, Array]:
    """Return what a step may be made of, by the text that is written."""
    outer, g = lab.case(verdict).outer, slope(lab, verdict)
    rate = outer["step_size"]
    if outer["optimizer"] == "adam":
        return {
            "the step": -rate * g / (numpy.abs(g) + outer["eps"]),
            "(−α g)": -rate * g,
            "(−α θ)": -rate * lab.case(verdict).theta,
        }
    return {
        "(−α g)": -rate * g,
        "(−α θ)": -rate * lab.case(verdict).theta,
    }


@of_answers("outer", WHERE, eps=Real(1e-12, 1.0, "ε"))
def adam_epsilon(lab, verdict, eps):
    """Adam divides by √v̂ + {eps}."""
    outer, g = settings(lab, verdict, "adam"), slope(lab, verdict)
    return outer and -outer["step_size"] * g / (numpy.abs(g) + eps)


@of_answers("outer", WHERE, eps=Real(1e-24, 1.0))
def adam_epsilon_under_the_root(lab, verdict, eps):
    """Adam divides by √(v̂ + {eps})."""
    outer, g = settings(lab, verdict, "adam"), slope(lab, verdict)
    return outer and -outer["step_size"] * g / numpy.sqrt(g * g + eps)


@of_answers("outer", WHERE, wd=Real(1e-6, 10.0, "0"))
def adam_with_l2(lab, verdict, wd):
    """Weight decay {wd} is added to the gradient before Adam's moments."""
    outer = settings(lab, verdict, "adam")
    if not outer:
        return None
    g = slope(lab, verdict) + wd * lab.case(verdict).theta
    return -outer["step_size"] * g / (numpy.abs(g) + outer["eps"])


@of_answers("outer", WHERE, c=Real(1e-9, 1e2))
def adam_clipped(lab, verdict, c):
    """The meta-gradient is clipped to the norm {c} before Adam."""
    outer, g = settings(lab, verdict, "adam"), slope(lab, verdict)
    if not outer:
        return None
    g = g * min(1.0, c / numpy.linalg.norm(g))
    return -outer["step_size"] * g / (numpy.abs(g) + outer["eps"])


@of_answers("outer", WHERE, c=Real(1e-9, 1e3, "1"))
def adam_of_a_multiple(lab, verdict, c):
    """Adam is given {c} times the meta-gradient."""
    outer, g = settings(lab, verdict, "adam"), slope(lab, verdict)
    return outer and -outer["step_size"] * c * g / (c * numpy.abs(g) + outer["eps"])
