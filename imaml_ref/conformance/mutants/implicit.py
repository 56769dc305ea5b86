"""Mistakes in the implicit gradient (5), g = Λ (H + Λ)⁻¹ v: they show with φ* given."""

from dataclasses import replace

import numpy

from ..axes import times
from ..case import Array, Case
from .base import Mistake


class OfTheFormula(Mistake):
    """A mistake in (5)."""

    level = "L4"


class FirstOrder(OfTheFormula):
    """There is no solve at all: g = v, the first-order meta-gradient."""

    effect = "nearly right for large λ"
    found_in = "MAML-Pytorch (dragen1860), which sets no create_graph"

    def task_grads(self, case, phi):
        return self.outer_gradient(case, phi)


class Reptile(OfTheFormula):
    """g = θ − φ*: Reptile's direction."""

    effect = "no query data in it"

    def task_grads(self, case, phi):
        return case.theta - phi


class CurvatureSign(OfTheFormula):
    """H enters with the wrong sign: Λ − H is solved."""

    effect = "too long where it should be short"

    def operator(self, H, lam):
        return super().operator(-H, lam)


class CurvatureAtTheta(OfTheFormula):
    """H is taken at θ instead of φ*."""

    effect = "right only where H does not depend on φ"

    def curvature(self, case, phi):
        return super().curvature(case, self.start(case))


class CurvatureOfQuery(OfTheFormula):
    """H is that of the query loss."""

    effect = "plausible size, wrong direction"

    def curvature(self, case, phi):
        return super().curvature(with_support(case, *query(case)), phi)


class CurvatureOfBoth(OfTheFormula):
    """H is that of support and query set together."""

    effect = "plausible size, wrong direction"

    def curvature(self, case, phi):
        both = (
            numpy.concatenate([case.inputs[f"support_{k}"], part], 1)
            for k, part in zip("xy", query(case), strict=True)
        )
        return super().curvature(with_support(case, *both), phi)


class VOfSupport(OfTheFormula):
    """v is the gradient of the support loss, not of the query loss."""

    effect = "the query set plays no part"

    def outer_gradient(self, case, phi):
        return self.at_support(case, phi).grad


class VAtTheta(OfTheFormula):
    """v is taken at θ instead of φ*."""

    effect = "adaptation plays no part in v"

    def outer_gradient(self, case, phi):
        return super().outer_gradient(case, self.start(case))


class NeumannOneTerm(OfTheFormula):
    """A Neumann series in H/λ is cut off after one term: g = v − Hv/λ."""

    effect = "near for large λ, wild for small"

    def task_grads(self, case, phi):
        v = self.outer_gradient(case, phi)
        x = v / self.lam(case)
        return v - times(self.curvature(case, phi), x)


class NoLookAtStationarity(OfTheFormula):
    """A φ that solves no inner problem is taken without a word."""

    effect = "an answer where there is none, no warning"

    def refuse_unstationary(self, case, phi):
        return None


def query(case: Case) -> tuple[Array, Array]:
    """Return inputs and labels of the query sets."""
    return case.inputs["query_x"], case.inputs["query_y"]


def with_support(case: Case, x: Array, y: Array) -> Case:
    """Return a case with other support sets."""
    return replace(case, inputs={**case.inputs, "support_x": x, "support_y": y})
