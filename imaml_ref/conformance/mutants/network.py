"""Mistakes in the network and the loss: most show at the loss or its gradient."""

from ...compute import Array
from ...layers import BatchNorm2d, Conv2d, Flatten, MaxPool2d, ZeroPad2d
from ...layers import batch_norm as bn
from ...meta_gradients import TaskLoss
from ...networks import Network
from ..case import Case
from .base import Mistake
from .layers import (
    ChannelsFirstFlatten,
    EveryMaximumPool,
    FlippedConv2d,
    TopLeftPad,
    rebuilt,
)
from .losses import Ascending, TwiceSoftmax, Weighted
from .norms import (
    ConstantStatisticsNorm,
    EpsOutsideNorm,
    GivenStatisticsNorm,
    UnbiasedNorm,
)


class OfTheNetwork(Mistake):
    """A mistake in what is differentiated."""

    level = "L1"


class LossSum(OfTheNetwork):
    """The loss is a sum over examples, not their mean."""

    effect = "loss and derivatives N times too large"

    def criterion(self, case):
        return Weighted(super().criterion(case), lambda shape: shape[1])


class SoftmaxTwice(OfTheNetwork):
    """Softmax is applied twice: the cross-entropy is given probabilities."""

    effect = "flatter loss, smaller gradients"

    def criterion(self, case):
        found = super().criterion(case)
        return TwiceSoftmax() if case.loss == "cross-entropy" else found


class GradientSign(OfTheNetwork):
    """The gradient has the wrong sign."""

    effect = "gradient and Hessian times −1"

    def criterion(self, case):
        return Ascending(super().criterion(case))


class SetsSwapped(OfTheNetwork):
    """The support set and the query set are swapped."""

    effect = "every answer is that of other data"

    def at_support(self, case, phi):
        return super().at_query(case, phi)

    def at_query(self, case, phi):
        return super().at_support(case, phi)


class KernelFlipped(OfTheNetwork):
    """The kernel of a convolution is turned by 180°: convolved, not correlated."""

    effect = "another network: loss and gradient wrong"
    kinds = ((Conv2d, FlippedConv2d),)


class FlattenChannelsFirst(OfTheNetwork):
    """Images are flattened in the order channel, height, width; ours is H, W, C."""

    effect = "the head reads its inputs in another order"
    kinds = ((Flatten, ChannelsFirstFlatten),)


class PaddingTopLeft(OfTheNetwork):
    """The row and column of zeros are added at the top left, not the bottom right."""

    effect = "strided windows are one pixel off"
    kinds = ((ZeroPad2d, TopLeftPad),)


class MaxPoolTies(OfTheNetwork):
    """Max-pooling counts the gradient once for each of several equal maxima."""

    effect = "right but for windows with equal entries"
    kinds = ((MaxPool2d, EveryMaximumPool),)


class NormUnbiased(OfTheNetwork):
    """Batch normalisation divides by the unbiased variance, with N − 1."""

    effect = "activations a little too small"
    kinds = ((BatchNorm2d, UnbiasedNorm),)


class NormEpsOutside(OfTheNetwork):
    """Batch normalisation adds ε to the standard deviation, not to the variance."""

    effect = "small: of the order of ε"
    kinds = ((BatchNorm2d, EpsOutsideNorm),)


class NormConstantStatistics(OfTheNetwork):
    """Gradients take the statistics of batch normalisation for constants."""

    effect = "loss right, gradient wrong"
    kinds = ((BatchNorm2d, ConstantStatisticsNorm),)


class QueryStatisticsDetached(OfTheNetwork):
    """The gradient of the query loss takes the query's statistics for constants."""

    level = "L4"
    effect = "v lacks a term; nothing else is wrong"

    def at_query(self, case, phi):
        net = rebuilt(self.network(case), ((BatchNorm2d, ConstantStatisticsNorm),))
        loss = TaskLoss(net, self.criterion(case))
        return loss.linearize(phi, case.tasks.query_x, case.tasks.query_y)


class QueryBySupportStatistics(OfTheNetwork):
    """The query set is normalised with the statistics of the support set."""

    level = "L4"
    effect = "v is that of another network"

    def at_query(self, case, phi):
        loss = TaskLoss(with_statistics(self, case, phi), self.criterion(case))
        return loss.linearize(phi, case.tasks.query_x, case.tasks.query_y)


def with_statistics(subject: Mistake, case: Case, phi: Array) -> Network:
    """Return the network with the support set's statistics at φ as constants."""
    net, x = subject.network(case), case.tasks.support_x
    p, layers = net.unpack(phi), {}
    for name, layer in net.layers.items():
        layers[name] = layer
        if isinstance(layer, BatchNorm2d):
            middle = bn.mean(x)
            rho = (bn.mean((x - middle) ** 2) + layer.eps) ** -0.5
            layers[name] = GivenStatisticsNorm(layer, (middle, rho))
        x, _ = layer.forward(p[name], x)
    return Network(layers, net.input_shape)


class QueryLossSum(OfTheNetwork):
    """The query loss is a sum over examples, the support loss a mean."""

    level = "L4"
    effect = "meta-gradient larger by the number of query examples"

    def outer_gradient(self, case, phi):
        return super().outer_gradient(case, phi) * case.tasks.query_y.shape[1]


class SinglePrecision(OfTheNetwork):
    """Numbers are single precision (float32), though float64 is asked for."""

    effect = "a few digits too little, everywhere"

    def loss(self, case):
        return super().loss(case.astype("float32")).astype(float)

    def grad(self, case):
        return super().grad(case.astype("float32")).astype(float)

    def hvp(self, case):
        return super().hvp(case.astype("float32")).astype(float)

    def gnvp(self, case):
        return super().gnvp(case.astype("float32")).astype(float)

    def solve(self, A, b):
        single = super().solve(A.astype("float32"), b.astype("float32"))
        return single.astype("float32").astype(float)

    def meta_grad(self, case, phi=None):
        phi = self.solution(case.astype("float64")) if phi is None else phi
        single, phi = case.astype("float32"), phi.astype("float32")
        return super().meta_grad(single, phi).astype("float32").astype(float)

    def outer_step(self, case, theta, state):
        single = case.astype("float32")
        theta, state = super().outer_step(single, theta.astype("float32"), state)
        return theta.astype("float32").astype(float), state
