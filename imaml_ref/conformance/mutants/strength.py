"""Mistakes with λ in the implicit gradient (5), g = Λ (H + Λ)⁻¹ v."""

import numpy

from ..case import Array
from .base import Mistake
from .solvers import plain


class OfLam(Mistake):
    """A mistake with λ."""

    level = "L4"


class Unscaled(OfLam):
    """x is taken for g."""

    def scaled(self, x, lam):
        return x


class LamNotMultiplied(Unscaled):
    """(H + Λ) x = v is solved, but x is not multiplied by λ."""

    effect = "meta-gradient smaller by λ"


class LamDivided(OfLam):
    """g is divided by λ where it should be multiplied by it."""

    effect = "meta-gradient smaller by λ²"

    def scaled(self, x, lam):
        return x / lam


class OnePlusLamH(Unscaled):
    """I + λH is solved in place of I + H/λ."""

    effect = "curvature counts λ² times too much"

    def operator(self, H, lam):
        return numpy.eye(H.shape[-1]) + column(lam) * H


class LamAddedTwice(OfLam):
    """λ is added twice: H + 2Λ is solved."""

    effect = "close to half the meta-gradient where λ is large"

    def operator(self, H, lam):
        return super().operator(H, 2 * lam)


class LamHalved(OfLam):
    """λ is halved: λ/4 ‖φ − θ‖² and H + Λ/2 in place of λ/2 ‖φ − θ‖² and H + Λ."""

    effect = "curvature counts twice as much"

    def lam(self, case):
        return super().lam(case) / 2


class LamDoubled(OfLam):
    """λ is doubled: λ ‖φ − θ‖² and H + 2Λ in place of λ/2 ‖φ − θ‖² and H + Λ."""

    effect = "closer to first order"

    def lam(self, case):
        return super().lam(case) * 2


class LamMean(OfLam):
    """A λ per parameter is replaced by its mean."""

    effect = "right where λ is a number"

    def lam(self, case):
        return float(numpy.mean(super().lam(case)))


class LamWrongSide(Unscaled):
    """(I + Λ⁻¹H)⁻¹ v is computed for a λ per parameter; it should be (I + HΛ⁻¹)⁻¹ v."""

    effect = "right where λ is a number"

    def operator(self, H, lam):
        return numpy.eye(H.shape[-1]) + H / column(lam)


class CgOnUnsymmetric(OfLam):
    """Plain CG runs on I + HΛ⁻¹, which is not symmetric for a λ per parameter."""

    effect = "right where λ is a number, or H so small beside Λ that CG converges"

    def task_grads(self, case, phi):
        lam, v = self.lam(case), self.outer_gradient(case, phi)
        if numpy.ndim(lam) == 0:
            return super().task_grads(case, phi)
        A = numpy.eye(len(lam)) + self.curvature(case, phi) / lam
        pairs = zip(A, v, strict=True)
        return numpy.stack([plain(M, b, lambda before, after: after) for M, b in pairs])


class ReleasedOperator(Unscaled):
    """((1 + c) I + H/(λ + d)) g = v with c = 1 and d = 10 is solved."""

    effect = "half the first-order meta-gradient, nearly"
    found_in = "imaml_dev and files that copy its line"

    def operator(self, H, lam):
        return 2 * numpy.eye(H.shape[-1]) + H / (column(lam) + 10)


def column(lam) -> Array:
    """Return λ so that it multiplies the rows of a matrix."""
    return numpy.asarray(lam, float)[..., None]
