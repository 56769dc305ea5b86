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

from collections.abc import Callable
from functools import partial

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


def plain(A: Array, b: Array, direction: Callable[[Array, Array], Array]) -> Array:
    """Return x by (1) as it stands in every library: r′ is not made orthogonal again.

    Args:
        A: The matrix.
        b: The right-hand side.
        direction: What the next p begins with, from r and r′.
    """
    x, r, p = numpy.zeros_like(b), b, b
    for _ in range(len(b)):
        bent = A @ p
        alpha = (r @ r) / (p @ bent)
        x, after = x + alpha * p, r - alpha * bent
        p, r = direction(r, after) + (after @ after) / (r @ r) * p, after
        if converged(r, b):
            break
    return x


class OfTheSolve(Mistake):
    """A mistake in x = A⁻¹ b."""

    level = "L3"


class CgAbsoluteTolerance(OfTheSolve):
    """CG stops at ⟨r, r⟩ < 1e-10, however small the right-hand side is."""

    effect = "few digits; one step where the right-hand side is tiny"
    found_in = "imaml_dev"

    def inverse(self, A, b):
        steps, small = 2 * len(b), lambda r, b: r @ r < 1e-10
        return [*conjugate_gradients(A, b, steps, small)][-1]


class CgLastIterateDropped(OfTheSolve):
    """CG leaves its loop before it stores the last iterate."""

    effect = "one step too few; A = I gives 0"
    found_in = "hypertorch"

    def inverse(self, A, b):
        steps, small = 2 * len(b), partial(converged, rtol=1e-10)
        return [numpy.zeros_like(b), *conjugate_gradients(A, b, steps, small)][-2]


class ScaledStep(OfTheSolve):
    """CG scales A in its step length and its result, but not in its residual."""

    scale = 1.0
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


class CgHalfInTheStep(ScaledStep):
    """CG scales A by ½ in its step length and its result, but not in its residual."""

    scale = 0.5


class CgTenthInTheStep(ScaledStep):
    """CG scales A by 0.1 in its step length and its result, but not in its residual."""

    scale = 0.1
    found_in = "Betty, for cg_alpha = 0.1 as in its test"


class CgOldResidual(OfTheSolve):
    """CG's direction update takes the residual from before the step."""

    effect = "directions are not conjugate: no convergence"
    found_in = "moskomule/hypergrad"

    def inverse(self, A, b):
        return plain(A, b, lambda before, after: before)


class CgOneStep(OfTheSolve):
    """CG is stopped after one step."""

    effect = "the direction of the right-hand side"

    def inverse(self, A, b):
        return [*conjugate_gradients(A, b, 1)][-1]


class CgFiveSteps(OfTheSolve):
    """CG is stopped after five steps."""

    effect = "right for small or easy systems only"

    def inverse(self, A, b):
        return [*conjugate_gradients(A, b, 5)][-1]


class CgWithoutBeta(OfTheSolve):
    """CG's directions are the residuals alone (β = 0): steepest descent, 20 steps."""

    effect = "slow where the condition number is large"

    def inverse(self, A, b):
        x = numpy.zeros_like(b)
        for _ in range(20):
            r = b - A @ x
            if converged(r, b):
                break
            x = x + (r @ r) / (r @ A @ r) * r
        return x


class CgLooseTolerance(OfTheSolve):
    """CG's relative tolerance is 1e-5, the default of many libraries."""

    level = "L4"  # seven steps solve the systems of L3
    effect = "five digits or more, fewer than float64 has"

    def inverse(self, A, b):
        steps, small = 2 * len(b), partial(converged, rtol=1e-5)
        return [*conjugate_gradients(A, b, steps, small)][-1]


class CgToleranceOne(OfTheSolve):
    """CG's relative tolerance is 1: it is content with its start, x = 0."""

    effect = "zero"

    def inverse(self, A, b):
        return numpy.zeros_like(b)


class SolveLeftOut(OfTheSolve):
    """The solve is left out: x = b."""

    effect = "meta-gradient λ times the first-order one"

    def inverse(self, A, b):
        return b


class NeumannTenTerms(OfTheSolve):
    """A Neumann series is cut off after ten terms, x = η Σ (I − ηA)ᵏ b, η = 1/‖A‖₁."""

    effect = "a few digits at most"

    def inverse(self, A, b):
        eta, term = 1 / numpy.abs(A).sum(0).max(), b
        x = term
        for _ in range(9):
            term = term - eta * (A @ term)
            x = x + term
        return eta * x


class DampingLeftOn(OfTheSolve):
    """Damping was left on: (A + 0.1 I) x = b is solved."""

    effect = "too short along directions of small curvature"

    def inverse(self, A, b):
        return super().inverse(A + 0.1 * numpy.eye(len(b)), b)


class ProductForSolve(OfTheSolve):
    """A is multiplied with, not solved for: x = A b."""

    effect = "large where the answer should be small"

    def inverse(self, A, b):
        return A @ b


class NoLookAtCurvature(OfTheSolve):
    """A system that is not positive definite is solved without a word."""

    effect = "an answer where there is none, no warning"

    def refuse_indefinite(self, A):
        return None
