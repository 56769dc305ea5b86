"""Families of the inner problem (1) that is another: its solution, or Newton steps."""

from collections.abc import Callable
from typing import Any

import numpy

from ..case import Array, Case
from ..judge import Verdict
from .family import Real, of_answers
from .ground import solve
from .inner import WHERE

SOLVED = 1e-8  # least relative gradient at which (1) is solved


def of_solution(**numbers: Real):
    """Make a family of another φ: of a function (lab, case, own φ, *values) → φ (T, P).

    The own φ is the answer that is looked at, or None.
    """

    def make(function: Callable[..., Any]):
        def at(lab: Any, verdict: Verdict, *values: float) -> Any:
            case = lab.case(verdict)
            own = verdict.got if verdict.answer == "inner" else None
            phi = function(
                lab, case, None if own is None else own.astype(float), *values
            )
            if phi is None or verdict.answer == "inner":
                return phi if phi is None else phi - case.theta
            return lab.assembled(verdict, lab.around(case, phi).g)

        of_answers(
            "inner", WHERE, "", bound=True, cheap=None, named_after=function, **numbers
        )(at)
        return function

    return make


def of_strength(**numbers: Real):
    """Make a family of (1) with another λ: of a function (λ, *values) → λ."""

    def make(function: Callable[..., Any]):
        def phi(lab: Any, case: Case, own: Any, *values: float) -> Array:
            lam = function(case.lam, *values)
            if own is not None and solves(lab, case, own, lam, case.theta):
                return own
            return lab.solved(case, lam, case.theta)

        phi.__name__, phi.__doc__ = function.__name__, function.__doc__
        of_solution(**numbers)(phi)
        return function

    return make


def solves(lab: Any, case: Case, phi: Array, lam: Any, anchor: Array) -> bool:
    """Whether ∇L(φ) + λ (φ − anchor) is rounding: of several solutions any will do."""
    pull = lam * (phi - anchor)
    left = lab.around(case, phi).s + pull
    return bool((numpy.abs(left).max(1) <= SOLVED * numpy.abs(pull).max(1)).all())


@of_strength(c=Real(0.02, 50, "1"))
def inner_strength_times(lam, c):
    """(1) is solved with {c} λ in place of λ; (5) with λ."""
    return c * lam


@of_strength(c=Real(0.02, 50))
def inner_strength_at_least(lam, c):
    """(1) is solved with λ clamped from below at {c}."""
    return numpy.maximum(lam, c)


@of_strength(c=Real(0.02, 50))
def inner_strength_at_most(lam, c):
    """(1) is solved with λ clamped from above at {c}."""
    return numpy.minimum(lam, c)


@of_strength()
def inner_strength_through_softplus(lam):
    """(1) is solved with log(1 + exp λ) in place of λ."""
    return numpy.log1p(numpy.exp(lam))


@of_solution()
def pulled_to_the_task_before(lab, case, own):
    """Each task is pulled to the φ of the task before it, not to θ."""
    if own is not None:
        before = numpy.concatenate([case.theta[None], own[:-1]])
        if solves(lab, case, own, case.lam, before):
            return own
    anchor, found = case.theta, []
    for t in range(len(lab.solution(case))):
        anchor = lab.solved(case, case.lam, anchor)[t]
        found.append(anchor)
    return numpy.stack(found)


def newton(count: int):
    """Make the family of some Newton steps."""

    def at(lab, case, own):
        phi = numpy.repeat(case.theta[None], len(lab.solution(case)), 0)
        for _ in range(count):
            at = lab.around(case, phi)
            phi = phi - solve(at.A, at.s + at.lam * at.d)
        return phi

    words = ("one", "two", "three", "four", "five", "six")[count - 1]
    at.__name__ = f"inner_newton_steps_{words}"
    at.__doc__ = f"φ comes of {count} Newton step{'s' * (count > 1)} from θ."
    of_solution()(at)


for count in range(1, 7):
    newton(count)
