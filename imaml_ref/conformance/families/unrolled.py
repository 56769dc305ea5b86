"""Families of the gradient through K inner steps (MAML)."""

from typing import Any

import numpy

from ..case import Array
from ..judge import Verdict
from .family import Real, of_answers
from .ground import times

WHERE = (("U", "unrolled_grad"),)
MOST = 12


def through(lab: Any, verdict: Verdict, step: float, second: bool, pull: bool) -> Any:
    """Return the gradients (P,) through 1, 2, … steps of a size.

    Args:
        lab: Where the case is.
        verdict: Whose answer it is.
        step: α.
        second: Whether H is in it.
        pull: Whether the steps are of G, not of L.
    """
    case, subject = lab.case(verdict), lab.subject(*lab.base)
    paths = []
    for group in case.groups:
        lam = case.lam if pull else 0.0
        phis = [numpy.repeat(case.theta[None], group.num_tasks, 0)]
        rows = []
        for _ in range(MOST):
            slope = subject.at_support(group, phis[-1]).grad
            phis.append(phis[-1] - step * (slope + lam * (phis[-1] - case.theta)))
            if not numpy.isfinite(phis[-1]).all() or numpy.abs(phis[-1]).max() > 1e6:
                break
            rows.append(back(subject, group, phis, step, lam, second))
        paths.append(rows)
    count = min(map(len, paths))
    return [numpy.concatenate([p[k] for p in paths]).mean(0) for k in range(count)]


def back(subject, case, phis: list[Array], step: float, lam, second: bool) -> Array:
    """Return dQ_t(φ_K)/dθ (T, P)."""
    v = subject.outer_gradient(case, phis[-1])
    if not second:
        return v
    g = numpy.zeros_like(v)
    for phi in reversed(phis[:-1]):
        g = g + step * lam * v
        v = v - step * (times(subject.curvature(case, phi), v) + lam * v)
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


def another_number(more: int, say: str) -> None:
    """Register K + more steps, of the right size."""

    def at(lab, verdict):
        case = lab.case(verdict)
        count = case.unrolled["steps"] + more
        if not count:
            return None
        found = through(lab, verdict, case.unrolled["step_size"], True, False)
        return found[count - 1] if count <= len(found) else None

    at.__name__, at.__doc__ = f"unrolled-steps-{say}", f"One inner step is too {say}."
    of_answers("unrolled", WHERE)(at)


another_number(-1, "few")
another_number(1, "many")
