"""Mistakes in the linear solve A x = b: they show with the operator given.

Conjugate gradients from x = 0, with r = p = b at first, are

    α = ⟨r, r⟩ / ⟨p, A p⟩,   x ← x + α p,   r′ = r − α A p,   β = ⟨r′, r′⟩ / ⟨r, r⟩,
    p ← r′ + β p,   r ← r′                                                           (1)

In exact arithmetic r′ is orthogonal to all residuals before it, and (1) ends after as
many steps as A has distinct eigenvalues.  Rounding loses that: at κ = 1e3, ‖r‖/‖b‖ is
anything from 1e-7 to 1e-14 where it should be 0, and a tolerance in that range stops
one processor and not another.  A mistake is to be the same mistake everywhere, so r′
is made orthogonal again in each step; twice, after which it is so to rounding.
"""

import numpy

from ..case import Array
from .base import Mistake

TIGHT = 1e-13  # relative tolerance of those that do not err in it


def converged(r: Array, b: Array, rtol: float = TIGHT) -> bool:
    """Whether ‖r‖ is small beside ‖b‖."""
    return bool(numpy.linalg.norm(r) <= rtol * numpy.linalg.norm(b))


def conjugate_gradients(A: Array, b: Array, steps: int, stop=converged):
    """Yield the iterates of (1), until ``stop(r, b)`` or some steps were taken."""
    x, r, p, before = numpy.zeros_like(b), b, b, []
    for _ in range(steps):
        bent = A @ p
        alpha = (r @ r) / (p @ bent)
        before.append(r / numpy.linalg.norm(r))
        x, after = x + alpha * p, orthogonal(r - alpha * bent, numpy.array(before))
        yield x
        if stop(after, b):
            return
        p, r = after + (after @ after) / (r @ r) * p, after


def orthogonal(r: Array, before: Array) -> Array:
    """Return r (P,) without its components along orthonormal rows (k, P)."""
    for _ in range(2):
        r = r - before.T @ (before @ r)
    return r


def last(iterates, start: Array) -> Array:
    """Return the last of some iterates, or the start if there is none."""
    return [start, *iterates][-1]


class AbsoluteTolerance(Mistake):
    """CG stops at ⟨r, r⟩ < 1e-10, however small the right-hand side is."""

    name, level = "cg-absolute-tolerance", "L3"
    effect = "few digits; one step where the right-hand side is tiny"
    found_in = "imaml_dev"

    def inverse(self, A, b):
        def small(r, b):
            return r @ r < 1e-10

        return last(conjugate_gradients(A, b, 2 * len(b), small), b)


class LastIterateDropped(Mistake):
    """CG leaves its loop before it stores the last iterate."""

    name, level = "cg-last-iterate-dropped", "L3"
    effect = "one step too few; A = I gives 0"
    found_in = "hypertorch"

    def inverse(self, A, b):
        iterates = list(conjugate_gradients(A, b, 2 * len(b), self.satisfied))
        return iterates[-2] if len(iterates) > 1 else numpy.zeros_like(b)

    def satisfied(self, r, b):
        """Whether the residual is small: to ten digits."""
        return converged(r, b, 1e-10)


class ScaledStep(Mistake):
    """CG scales A in its step length and its result, but not in its residual."""

    level, scale = "L3", 1.0
    effect = "residual and iterate part company"

    def inverse(self, A, b):
        x, r, p, scale = numpy.zeros_like(b), b, b, self.scale
        for _ in range(len(b)):
            bent = A @ p
            if not p @ bent:
                break
            alpha = (r @ r) / (p @ (scale * bent))
            x, after = x + alpha * p, r - alpha * bent
            p, r = after + (after @ after) / (r @ r) * p, after
        return scale * x


class HalfInTheStepOnly(ScaledStep):
    """CG scales A by ½ in its step length and its result, but not in its residual."""

    name, scale = "cg-half-in-the-step", 0.5


class TenthInTheStepOnly(ScaledStep):
    """CG scales A by 0.1 in its step length and its result, but not in its residual."""

    name, scale = "cg-tenth-in-the-step", 0.1
    found_in = "Betty, for cg_alpha = 0.1 as in its test"


class OldResidual(Mistake):
    """CG's direction update takes the residual from before the step."""

    name, level = "cg-old-residual", "L3"
    effect = "directions are not conjugate: no convergence"
    found_in = "moskomule/hypergrad"

    def inverse(self, A, b):
        x, r, p = numpy.zeros_like(b), b, b
        for _ in range(len(b)):
            bent = A @ p
            alpha = (r @ r) / (p @ bent)
            x, after = x + alpha * p, r - alpha * bent
            p, r = r + (after @ after) / (r @ r) * p, after
            if converged(r, b):
                break
        return x


class OneStep(Mistake):
    """CG is stopped after one step."""

    name, level = "cg-one-step", "L3"
    effect = "the direction of the right-hand side"

    def inverse(self, A, b):
        return last(conjugate_gradients(A, b, 1), b)


class FiveSteps(Mistake):
    """CG is stopped after five steps."""

    name, level = "cg-five-steps", "L3"
    effect = "right for small or easy systems only"

    def inverse(self, A, b):
        return last(conjugate_gradients(A, b, 5), b)


class SteepestDescent(Mistake):
    """CG's directions are the residuals alone (β = 0): steepest descent, 20 steps."""

    name, level = "cg-without-beta", "L3"
    effect = "slow where the condition number is large"

    def inverse(self, A, b):
        x = numpy.zeros_like(b)
        for _ in range(20):
            r = b - A @ x
            if converged(r, b):
                break
            x = x + (r @ r) / (r @ A @ r) * r
        return x


class LooseTolerance(Mistake):
    """CG's relative tolerance is 1e-5, the default of many libraries."""

    name, level = "cg-loose-tolerance", "L4"  # seven steps solve the systems of L3
    effect = "five digits or more, fewer than float64 has"

    def inverse(self, A, b):
        def small(r, b):
            return converged(r, b, 1e-5)

        return last(conjugate_gradients(A, b, 2 * len(b), small), b)


class ToleranceOne(Mistake):
    """CG's relative tolerance is 1: it is content with its start, x = 0."""

    name, level = "cg-tolerance-one", "L3"
    effect = "zero"

    def inverse(self, A, b):
        return numpy.zeros_like(b)


class NoInverse(Mistake):
    """The solve is left out: x = b."""

    name, level = "solve-left-out", "L3"
    effect = "meta-gradient λ times the first-order one"

    def inverse(self, A, b):
        return b


class NeumannSeries(Mistake):
    """A Neumann series is cut off after ten terms, x = η Σ (I − ηA)ᵏ b, η = 1/‖A‖₁."""

    name, level = "neumann-ten-terms", "L3"
    effect = "a few digits at most"

    def inverse(self, A, b):
        eta, term = 1 / numpy.abs(A).sum(0).max(), b
        x = term
        for _ in range(9):
            term = term - eta * (A @ term)
            x = x + term
        return eta * x


class Damped(Mistake):
    """Damping was left on: (A + 0.1 I) x = b is solved."""

    name, level = "damping-left-on", "L3"
    effect = "too short along directions of small curvature"

    def inverse(self, A, b):
        return super().inverse(A + 0.1 * numpy.eye(len(b)), b)


class Multiplied(Mistake):
    """A is multiplied with, not solved for: x = A b."""

    name, level = "product-for-solve", "L3"
    effect = "large where the answer should be small"

    def inverse(self, A, b):
        return A @ b


class NoLookAtCurvature(Mistake):
    """A system that is not positive definite is solved without a word."""

    name, level = "no-look-at-curvature", "L3"
    effect = "an answer where there is none, no warning"

    def refuse_indefinite(self, A):
        return None
