"""The problems of the suite: every network once, then the variations of a few."""

from itertools import chain

from ..layers import (
    ELU,
    AveragePool2d,
    BatchNorm2d,
    MaxPool2d,
    ReLU,
    Softplus,
    Tanh,
)
from ..networks import architectures
from .problem import ALL, TO_STEP, Problems, problem
from .small_nets import conv_global, conv_net, mlp, strided_net
from .variations import conditioned, other_strengths, other_tasks


def recipes() -> Problems:
    """Yield every problem with an answer, and the levels that it asks for."""
    networks = (dense, convolutional, strided)
    variations = (other_strengths, other_tasks, conditioned)
    return chain.from_iterable(part() for part in (*networks, *variations))


def dense() -> Problems:
    """Yield linear models and networks of linear layers."""
    yield problem(
        "ridge",
        "A linear model with the squared error: everything has a closed form.",
        architectures.linear((3,), 2),
        loss="squared-error",
        lam=0.5,
        support=6,
        levels=ALL,
    )
    yield problem(
        "logistic",
        "A linear model with cross-entropy: H depends on φ and is rank deficient.",
        architectures.linear((3,), 3),
        lam=0.25,
        tasks=3,
        levels=ALL,
    )
    yield problem("mlp-tanh", "A smooth activation, act″ ≠ 0.", mlp(Tanh), levels=ALL)
    yield problem(
        "mlp-softplus",
        "Another smooth activation, two hidden layers, the squared error.",
        mlp(Softplus, 3, (4, 3)),
        loss="squared-error",
        levels=TO_STEP,
    )
    yield problem("mlp-elu", "An activation with a kink in its slope.", mlp(ELU))
    yield problem(
        "mlp-relu", "A kinked activation, act″ = 0.", mlp(ReLU), levels=TO_STEP, seed=0
    )


def convolutional() -> Problems:
    """Yield networks of convolutions: normalised or not, pooled or strided."""
    yield problem(
        "conv-tanh",
        "A convolution without batch normalisation, average-pooling.",
        conv_net(Tanh(), AveragePool2d()),
        levels=TO_STEP,
    )
    yield problem(
        "conv-norm-tanh",
        "Batch normalisation with the statistics of the batch, smooth.",
        conv_net(BatchNorm2d(3), Tanh(), AveragePool2d(), bias=False),
        levels=ALL,
    )
    yield problem(
        "conv-norm-bias",
        "A bias before batch normalisation: its gradient is zero but for rounding.",
        conv_net(BatchNorm2d(3), Softplus(), AveragePool2d()),
        levels=TO_STEP,
    )
    yield problem(
        "conv-norm-relu",
        "Batch normalisation, kinks and max-pooling.",
        conv_net(BatchNorm2d(3), ReLU(), MaxPool2d(), bias=False),
        levels=TO_STEP,
        seed=24,
    )
    yield problem(
        "conv-global",
        "Global average-pooling over the softplus of two input channels.",
        conv_global(),
    )


def strided() -> Problems:
    """Yield networks with strides in place of pooling."""
    yield problem(
        "strided-softplus",
        "Strides, unequal windows, zero padding, two normalised blocks.",
        strided_net(Softplus),
        levels=TO_STEP,
    )
    yield problem(
        "strided-relu",
        "The block structure of the Omniglot network, kinked.",
        strided_net(ReLU),
        lam=4.0,
        seed=288,
    )
