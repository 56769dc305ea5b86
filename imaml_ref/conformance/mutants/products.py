"""Mistakes in the products with H and G: the gradient is right."""

import numpy

from ...layers import BatchNorm2d
from ...meta_gradients import TaskLoss
from ..axes import times
from ..case import Array
from .base import Mistake
from .layers import BENDLESS, rebuilt
from .losses import EmpiricalFisher, WithoutCurvature, Wrapped
from .norms import ConstantScaleNorm, ConstantStatisticsNorm

LENGTH = 0.01  # of the displacement in a central difference, as is common
STEP = 1e-4  # of a forward difference, times v


class OfTheProducts(Mistake):
    """A mistake in H v or G v."""

    level = "L2"


class BendMissing(OfTheProducts):
    """The product with H omits act″, the second derivative of the activation."""

    effect = "Hv wrong on smooth activations, right on ReLU"
    found_in = "numpy-ml"
    kinds = BENDLESS


class NormConstantScale(OfTheProducts):
    """Second derivatives take 1/σ of batch normalisation for a constant."""

    effect = "gradient right, Hv wrong; H is not symmetric"
    found_in = "DeZero"
    kinds = ((BatchNorm2d, ConstantScaleNorm),)

    def curvature(self, case, phi):
        """Return Hᵀ: reverse mode over reverse mode multiplies from the left."""
        return super().curvature(case, phi).swapaxes(1, 2)

    def hvp(self, case):
        return times(self.curvature(case, case.phi), case.v)


class NormFrozenHvp(OfTheProducts):
    """The product with H is that of the network with frozen batch statistics."""

    effect = "gradient right, Hv wrong with batch normalisation"

    def product(self, case, lin, v):
        net = rebuilt(lin.task_loss.net, ((BatchNorm2d, ConstantStatisticsNorm),))
        loss = TaskLoss(net, lin.task_loss.loss)
        return loss.linearize(lin.phi, lin.x, lin.y).hvp(v)


class HvpCentralDifference(OfTheProducts):
    """Hv is a central difference of gradients, φ moved by 0.01 v/‖v‖."""

    effect = "a few digits; wrong where a kink is crossed"

    def product(self, case, lin, v):
        length = LENGTH / row_norms(v)
        ahead, behind = (gradient(lin, lin.phi + s * length * v) for s in (1, -1))
        return (ahead - behind) / (2 * length)


class HvpForwardDifference(OfTheProducts):
    """Hv is a forward difference of gradients, φ moved by 1e-4 v."""

    effect = "a few digits; fewer the more φ bends"

    def product(self, case, lin, v):
        return (gradient(lin, lin.phi + STEP * v) - lin.grad) / STEP


class HvpWithLam(OfTheProducts):
    """The product with H contains λ v already, and λ is added once more."""

    effect = "H + 2Λ is solved"

    def product(self, case, lin, v):
        return super().product(case, lin, v) + self.lam(case) * v


class HvpOfSum(OfTheProducts):
    """The product with H is that of the summed loss, the gradient of the mean."""

    effect = "Hv larger by the number of examples"

    def product(self, case, lin, v):
        return super().product(case, lin, v) * lin.x.shape[1]


class GaussNewtonForHessian(OfTheProducts):
    """The Gauss-Newton operator stands in place of the Hessian."""

    effect = "right where the network is linear in φ"

    def product(self, case, lin, v):
        return lin.gnvp(v)


class FisherForHessian(OfTheProducts):
    """The empirical Fisher matrix stands in place of the Hessian."""

    effect = "Hv wrong everywhere"

    def product(self, case, lin, v):
        return with_loss(lin, EmpiricalFisher).gnvp(v)


class DiagonalForHessian(OfTheProducts):
    """Only the diagonal of the Hessian is kept."""

    effect = "entries of Hv wrong one by one"

    def curvature(self, case, phi):
        H = super().curvature(case, phi)
        return H * numpy.eye(H.shape[-1])

    def hvp(self, case):
        return times(self.curvature(case, case.phi), case.v)


class FisherForGaussNewton(OfTheProducts):
    """The empirical Fisher matrix stands in place of Gauss-Newton."""

    effect = "Gv wrong, all else right"

    def gnvp(self, case):
        lin = self.at_support(case, case.phi)
        return with_loss(lin, EmpiricalFisher).gnvp(case.v)


class GaussNewtonWithoutLoss(OfTheProducts):
    """Gauss-Newton is JᵀJ/N: the loss's own Hessian H_z is left out."""

    effect = "Gv wrong with cross-entropy, right with the squared error"

    def gnvp(self, case):
        lin = self.at_support(case, case.phi)
        return with_loss(lin, WithoutCurvature).gnvp(case.v)


def gradient(lin, phi: Array) -> Array:
    """Return the gradient (T, P) of what was linearised, at another φ."""
    return lin.task_loss.linearize(phi, lin.x, lin.y).grad


def with_loss(lin, wrong: type[Wrapped]):
    """Return the linearisation with a loss that is wrong."""
    net, loss = lin.task_loss.net, wrong(lin.task_loss.loss)
    return TaskLoss(net, loss).linearize(lin.phi, lin.x, lin.y)


def row_norms(v: Array) -> Array:
    """Return ‖v‖ of every task, (T, 1)."""
    return numpy.linalg.norm(v, axis=1, keepdims=True)
