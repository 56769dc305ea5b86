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
    recast,
)
from .losses import Ascending, TwiceSoftmax, Weighted
from .norms import (
    ConstantStatisticsNorm,
    EpsOutsideNorm,
    GivenStatisticsNorm,
    UnbiasedNorm,
)


class LossSum(Mistake):
    """The loss is a sum over examples, not their mean."""

    name, level = "loss-sum", "L1"
    effect = "loss and derivatives N times too large"

    def criterion(self, case):
        return Weighted(super().criterion(case), lambda shape: shape[1])


class SoftmaxTwice(Mistake):
    """Softmax is applied twice: the cross-entropy is given probabilities."""

    name, level = "softmax-twice", "L1"
    effect = "flatter loss, smaller gradients"

    def criterion(self, case):
        found = super().criterion(case)
        return TwiceSoftmax() if case.loss == "cross-entropy" else found


class GradientSign(Mistake):
    """The gradient has the wrong sign."""

    name, level = "gradient-sign", "L1"
    effect = "gradient and Hessian times −1"

    def criterion(self, case):
        return Ascending(super().criterion(case))


class SetsSwapped(Mistake):
    """The support set and the query set are swapped."""

    name, level = "sets-swapped", "L1"
    effect = "every answer is that of other data"

    def at_support(self, case, phi):
        return super().at_query(case, phi)

    def at_query(self, case, phi):
        return super().at_support(case, phi)


class KernelFlipped(Mistake):
    """The kernel of a convolution is turned by 180°: convolved, not correlated."""

    name, level = "kernel-flipped", "L1"
    effect = "another network: loss and gradient wrong"

    def layer(self, layer):
        return recast(super().layer(layer), {Conv2d: FlippedConv2d})


class FlattenChannelsFirst(Mistake):
    """Images are flattened in the order channel, height, width; ours is H, W, C."""

    name, level = "flatten-channels-first", "L1"
    effect = "the head reads its inputs in another order"

    def layer(self, layer):
        return recast(super().layer(layer), {Flatten: ChannelsFirstFlatten})


class PaddingTopLeft(Mistake):
    """The row and column of zeros are added at the top left, not the bottom right."""

    name, level = "padding-top-left", "L1"
    effect = "strided windows are one pixel off"

    def layer(self, layer):
        return recast(super().layer(layer), {ZeroPad2d: TopLeftPad})


class MaxPoolTies(Mistake):
    """Max-pooling counts the gradient once for each of several equal maxima."""

    name, level = "max-pool-ties", "L1"
    effect = "right but for windows with equal entries"

    def layer(self, layer):
        return recast(super().layer(layer), {MaxPool2d: EveryMaximumPool})


class NormUnbiased(Mistake):
    """Batch normalisation divides by the unbiased variance, with N − 1."""

    name, level = "norm-unbiased", "L1"
    effect = "activations a little too small"

    def layer(self, layer):
        return recast(super().layer(layer), {BatchNorm2d: UnbiasedNorm})


class NormEpsOutside(Mistake):
    """Batch normalisation adds ε to the standard deviation, not to the variance."""

    name, level = "norm-eps-outside", "L1"
    effect = "small: of the order of ε"

    def layer(self, layer):
        return recast(super().layer(layer), {BatchNorm2d: EpsOutsideNorm})


class NormConstantStatistics(Mistake):
    """Gradients take the statistics of batch normalisation for constants."""

    name, level = "norm-constant-statistics", "L1"
    effect = "loss right, gradient wrong"

    def layer(self, layer):
        return recast(super().layer(layer), {BatchNorm2d: ConstantStatisticsNorm})


class QueryStatisticsDetached(Mistake):
    """The gradient of the query loss takes the query's statistics for constants."""

    name, level = "query-statistics-detached", "L4"
    effect = "v lacks a term; nothing else is wrong"

    def at_query(self, case, phi):
        net, layers = self.network(case), {}
        for name, layer in net.layers.items():
            layers[name] = recast(layer, {BatchNorm2d: ConstantStatisticsNorm})
        return TaskLoss(
            Network(layers, net.input_shape), self.criterion(case)
        ).linearize(phi, case.tasks.query_x, case.tasks.query_y)


class QueryBySupportStatistics(Mistake):
    """The query set is normalised with the statistics of the support set."""

    name, level = "query-by-support-statistics", "L4"
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


class QueryLossSum(Mistake):
    """The query loss is a sum over examples, the support loss a mean."""

    name, level = "query-loss-sum", "L4"
    effect = "meta-gradient larger by the number of query examples"

    def outer_gradient(self, case, phi):
        return super().outer_gradient(case, phi) * case.tasks.query_y.shape[1]


class SinglePrecision(Mistake):
    """Numbers are single precision (float32), though float64 is asked for."""

    name, level = "single-precision", "L1"
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
