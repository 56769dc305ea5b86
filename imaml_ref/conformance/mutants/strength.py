"""Mistakes with λ in the implicit gradient (5), g = Λ (H + Λ)⁻¹ v."""

import numpy

from ..case import Array
from .base import Mistake
from .solvers import converged


class LamNotMultiplied(Mistake):
    """(H + Λ) x = v is solved, but x is not multiplied by λ."""

    name, level = "lam-not-multiplied", "L4"
    effect = "meta-gradient smaller by λ"

    def scaled(self, x, lam):
        return x


class LamDividedAgain(Mistake):
    """g is divided by λ where it should be multiplied by it."""

    name, level = "lam-divided", "L4"
    effect = "meta-gradient smaller by λ²"

    def scaled(self, x, lam):
        return x / lam


class OnePlusLamH(Mistake):
    """I + λH is solved in place of I + H/λ."""

    name, level = "one-plus-lam-h", "L4"
    effect = "curvature counts λ² times too much"

    def operator(self, H, lam):
        return numpy.eye(H.shape[-1]) + column(lam) * H

    def scaled(self, x, lam):
        return x


class LamTwice(Mistake):
    """λ is added twice: H + 2Λ is solved."""

    name, level = "lam-added-twice", "L4"
    effect = "close to half the meta-gradient where λ is large"

    def operator(self, H, lam):
        return super().operator(H, 2 * lam)


class LamHalved(Mistake):
    """λ is halved: λ/4 ‖φ − θ‖² and H + Λ/2 in place of λ/2 ‖φ − θ‖² and H + Λ."""

    name, level = "lam-halved", "L4"
    effect = "curvature counts twice as much"

    def lam(self, case):
        return super().lam(case) / 2


class LamDoubled(Mistake):
    """λ is doubled: λ ‖φ − θ‖² and H + 2Λ in place of λ/2 ‖φ − θ‖² and H + Λ."""

    name, level = "lam-doubled", "L4"
    effect = "closer to first order"

    def lam(self, case):
        return super().lam(case) * 2


class LamMean(Mistake):
    """A λ per parameter is replaced by its mean."""

    name, level = "lam-mean", "L4"
    effect = "right where λ is a number"

    def lam(self, case):
        return float(numpy.mean(super().lam(case)))


class LamOnTheWrongSide(Mistake):
    """(I + Λ⁻¹H)⁻¹ v is computed for a λ per parameter; it should be (I + HΛ⁻¹)⁻¹ v."""

    name, level = "lam-wrong-side", "L4"
    effect = "right where λ is a number"

    def operator(self, H, lam):
        return numpy.eye(H.shape[-1]) + H / column(lam)

    def scaled(self, x, lam):
        return x


class UnsymmetricCG(Mistake):
    """Plain CG runs on I + HΛ⁻¹, which is not symmetric for a λ per parameter."""

    name, level = "cg-on-unsymmetric", "L4"
    effect = "right where λ is a number"

    def task_grads(self, case, phi):
        lam, v = self.lam(case), self.outer_gradient(case, phi)
        if numpy.ndim(lam) == 0:
            return super().task_grads(case, phi)
        A = numpy.eye(len(lam)) + self.curvature(case, phi) / lam
        return numpy.stack([self.plain(M, b) for M, b in zip(A, v, strict=True)])

    def plain(self, A, b):
        """CG as it stands in every library: its residuals would be orthogonal."""
        x, r, p = numpy.zeros_like(b), b, b
        for _ in range(len(b)):
            bent = A @ p
            alpha = (r @ r) / (p @ bent)
            x, after = x + alpha * p, r - alpha * bent
            p, r = after + (after @ after) / (r @ r) * p, after
            if converged(r, b):
                break
        return x


class ReleasedOperator(Mistake):
    """((1 + c) I + H/(λ + d)) g = v with c = 1 and d = 10 is solved."""

    name, level = "released-operator", "L4"
    effect = "half the first-order meta-gradient, nearly"
    found_in = "imaml_dev and files that copy its line"

    def operator(self, H, lam):
        return 2 * numpy.eye(H.shape[-1]) + H / (column(lam) + 10)

    def scaled(self, x, lam):
        return x


def column(lam) -> Array:
    """Return λ so that it multiplies the rows of a matrix."""
    return numpy.asarray(lam, float)[..., None]
