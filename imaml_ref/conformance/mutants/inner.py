"""Mistakes in the inner problem (1): they show once φ* has to be found.

Loops that end early take steps of gradient descent from θ, of length 1 / λ_max(H + Λ)
at θ, the largest over the tasks.
"""

import numpy

from ..axes import times
from ..case import Array, Case
from .base import Mistake

FEW, MANY = 5, 16  # steps


class OfTheInnerProblem(Mistake):
    """A mistake in (1)."""

    level = "L5"


class ProximalTermMissing(OfTheInnerProblem):
    """The inner loop has no proximal term: 16 steps of plain gradient descent."""

    effect = "φ solves no inner problem: the formula does not apply"
    found_in = "GBML (read, not run)"

    def solution(self, case):
        return descent(self, case, plain(self), MANY)[-1]


class OnePullBack(OfTheInnerProblem):
    """16 plain steps, and the proximal term in one step at the end."""

    effect = "φ solves no inner problem: the formula does not apply"
    found_in = "imaml_dev (read, not run)"

    def solution(self, case):
        phi = descent(self, case, plain(self), MANY)[-1]
        return phi - rate(self, case) * self.lam(case) * (phi - case.theta)


class AnchoredAtZero(OfTheInnerProblem):
    """The proximal term pulls φ to zero, not to θ."""

    effect = "weight decay: φ* does not depend on θ"

    def anchor(self, case):
        return numpy.zeros_like(super().anchor(case))


class InnerLamHalved(OfTheInnerProblem):
    """λ is halved in the inner loop, but not in the linear system."""

    effect = "φ goes too far"

    def inner_gradient(self, case, phi):
        return super().inner_gradient(case, phi) - self.pull(case, phi) / 2


class InnerLamDoubled(OfTheInnerProblem):
    """The proximal term of the inner loop lacks its ½: λ ‖φ − θ‖²."""

    effect = "φ does not go far enough"

    def inner_gradient(self, case, phi):
        return super().inner_gradient(case, phi) + self.pull(case, phi)


class FiveInnerSteps(OfTheInnerProblem):
    """The inner loop ends after five steps of gradient descent."""

    effect = "φ is not stationary"

    def solution(self, case):
        return descent(self, case, self.inner_gradient, FEW)[-1]


class StaleCurvature(OfTheInnerProblem):
    """After five inner steps v is taken at φ, but H where φ was a step before."""

    effect = "as after an in-place update; grows with the last step"

    def solution(self, case):
        return descent(self, case, self.inner_gradient, FEW - 1)[-1]

    def outer_gradient(self, case, phi):
        step = rate(self, case) * self.inner_gradient(case, phi)
        return super().outer_gradient(case, phi - step)


class NoInnerStep(OfTheInnerProblem):
    """The inner loop does not move φ: φ = θ."""

    effect = "no adaptation at all"

    def solution(self, case):
        return self.start(case)


class FiveStepsUnrolled(OfTheInnerProblem):
    """Five inner steps are differentiated through: (5) is not used at all."""

    effect = "the gradient of another map, φ₅(θ)"

    def group_grads(self, case, phi):
        if phi is not None:
            return super().group_grads(case, phi)
        *before, phi = descent(self, case, self.inner_gradient, FEW)
        v = self.outer_gradient(case, phi)
        g, step, lam = numpy.zeros_like(v), rate(self, case), self.lam(case)
        for point in reversed(before):
            H = self.curvature(case, point)
            g = g + step * lam * v
            v = v - step * (times(H, v) + lam * v)
        return g + v


def plain(subject: Mistake):
    """Return the gradient of L alone, a function of case and φ."""
    return lambda case, phi: subject.at_support(case, phi).grad


def descent(subject: Mistake, case: Case, gradient, steps: int) -> list[Array]:
    """Return θ and the iterates (T, P) after it."""
    phis, step = [subject.start(case)], rate(subject, case)
    for _ in range(steps):
        phis.append(phis[-1] - step * gradient(case, phis[-1]))
    return phis


def rate(subject: Mistake, case: Case) -> float:
    """Return 1 / λ_max(H + Λ) at θ."""
    H = subject.curvature(case, subject.start(case))
    spectrum = numpy.linalg.eigvals(subject.operator(H, subject.lam(case)))
    return 1 / float(spectrum.real.max())
