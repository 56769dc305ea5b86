"""Mistakes in the products with H and G: the gradient is right."""

import numpy

from ...layers import BatchNorm2d
from ...meta_gradients import TaskLoss
from ...networks import Network
from ..case import Array
from .base import Mistake
from .layers import BENDLESS, recast
from .losses import EmpiricalFisher, WithoutCurvature
from .norms import ConstantScaleNorm, ConstantStatisticsNorm

LENGTH = 0.01  # of the displacement in a central difference, as is common
STEP = 1e-4  # of a forward difference, times v


class BendMissing(Mistake):
    """The product with H omits act″, the second derivative of the activation."""

    name, level = "bend-missing", "L2"
    effect = "Hv wrong on smooth activations, right on ReLU"
    found_in = "numpy-ml"

    def layer(self, layer):
        return recast(super().layer(layer), BENDLESS)


class NormConstantScale(Mistake):
    """Second derivatives take 1/σ of batch normalisation for a constant."""

    name, level = "norm-constant-scale", "L2"
    effect = "gradient right, Hv wrong; H is not symmetric"
    found_in = "DeZero"

    def layer(self, layer):
        return recast(super().layer(layer), {BatchNorm2d: ConstantScaleNorm})

    def curvature(self, case, phi):
        """Return Hᵀ: reverse mode over reverse mode multiplies from the left."""
        return super().curvature(case, phi).swapaxes(1, 2)

    def hvp(self, case):
        H = self.curvature(case, case.phi)
        return (H @ case.v[..., None])[..., 0]


class NormFrozenHvp(Mistake):
    """The product with H is that of the network with frozen batch statistics."""

    name, level = "norm-frozen-hvp", "L2"
    effect = "gradient right, Hv wrong with batch normalisation"

    def product(self, case, lin, v):
        net, layers = lin.task_loss.net, {}
        for name, layer in net.layers.items():
            layers[name] = recast(layer, {BatchNorm2d: ConstantStatisticsNorm})
        loss = TaskLoss(Network(layers, net.input_shape), lin.task_loss.loss)
        return loss.linearize(lin.phi, lin.x, lin.y).hvp(v)


class CentralDifference(Mistake):
    """Hv is a central difference of gradients, φ moved by 0.01 v/‖v‖."""

    name, level = "hvp-central-difference", "L2"
    effect = "a few digits; wrong where a kink is crossed"

    def product(self, case, lin, v):
        length = LENGTH / row_norms(v)
        ahead, behind = (gradient(lin, lin.phi + s * length * v) for s in (1, -1))
        return (ahead - behind) / (2 * length)


class ForwardDifference(Mistake):
    """Hv is a forward difference of gradients, φ moved by 1e-4 v."""

    name, level = "hvp-forward-difference", "L2"
    effect = "a few digits; fewer the more φ bends"

    def product(self, case, lin, v):
        return (gradient(lin, lin.phi + STEP * v) - lin.grad) / STEP


class ProductWithLam(Mistake):
    """The product with H contains λ v already, and λ is added once more."""

    name, level = "hvp-with-lam", "L2"
    effect = "H + 2Λ is solved"

    def product(self, case, lin, v):
        return super().product(case, lin, v) + self.lam(case) * v


class ProductOfSum(Mistake):
    """The product with H is that of the summed loss, the gradient of the mean."""

    name, level = "hvp-of-sum", "L2"
    effect = "Hv larger by the number of examples"

    def product(self, case, lin, v):
        return super().product(case, lin, v) * lin.x.shape[1]


class GaussNewtonForHessian(Mistake):
    """The Gauss-Newton operator stands in place of the Hessian."""

    name, level = "gauss-newton-for-hessian", "L2"
    effect = "right where the network is linear in φ"

    def product(self, case, lin, v):
        return lin.gnvp(v)


class FisherForHessian(Mistake):
    """The empirical Fisher matrix stands in place of the Hessian."""

    name, level = "fisher-for-hessian", "L2"
    effect = "Hv wrong everywhere"

    def product(self, case, lin, v):
        return with_loss(lin, EmpiricalFisher(lin.task_loss.loss)).gnvp(v)


class DiagonalForHessian(Mistake):
    """Only the diagonal of the Hessian is kept."""

    name, level = "diagonal-for-hessian", "L2"
    effect = "entries of Hv wrong one by one"

    def curvature(self, case, phi):
        H = super().curvature(case, phi)
        return H * numpy.eye(H.shape[-1])

    def hvp(self, case):
        H = self.curvature(case, case.phi)
        return (H @ case.v[..., None])[..., 0]


class FisherForGaussNewton(Mistake):
    """The empirical Fisher matrix stands in place of Gauss-Newton."""

    name, level = "fisher-for-gauss-newton", "L2"
    effect = "Gv wrong, all else right"

    def gnvp(self, case):
        lin = self.at_support(case, case.phi)
        return with_loss(lin, EmpiricalFisher(lin.task_loss.loss)).gnvp(case.v)


class GaussNewtonWithoutLoss(Mistake):
    """Gauss-Newton is JᵀJ/N: the loss's own Hessian H_z is left out."""

    name, level = "gauss-newton-without-loss", "L2"
    effect = "Gv wrong with cross-entropy, right with the squared error"

    def gnvp(self, case):
        lin = self.at_support(case, case.phi)
        return with_loss(lin, WithoutCurvature(lin.task_loss.loss)).gnvp(case.v)


def gradient(lin, phi: Array) -> Array:
    """Return the gradient (T, P) of what was linearised, at another φ."""
    return lin.task_loss.linearize(phi, lin.x, lin.y).grad


def with_loss(lin, loss):
    """Return the linearisation with another loss."""
    return TaskLoss(lin.task_loss.net, loss).linearize(lin.phi, lin.x, lin.y)


def row_norms(v: Array) -> Array:
    """Return ‖v‖ of every task, (T, 1)."""
    return numpy.linalg.norm(v, axis=1, keepdims=True)
