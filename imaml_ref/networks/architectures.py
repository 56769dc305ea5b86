"""The networks of the literature, by name.

Every one takes its activation (and pooling) as an argument: with ``Softplus`` and
``AveragePool2d`` it is smooth, so that every check of a derivative holds everywhere.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

from ..arguments import brief, sizes
from ..layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    GroupNorm,
    InstanceNorm2d,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    SupportNorm2d,
    TaskNorm2d,
    ZeroPad2d,
)
from .network import Network

MakeLayer = Callable[[], Layer]
MakeNorm = Callable[[int], Layer]
# The layer's is over whole images, γ and β per channel: one group of all channels.
NORMS: dict[str, MakeNorm | None] = {
    "batch": BatchNorm2d,
    "layer": partial(GroupNorm, 1),
    "group": partial(GroupNorm, 8),
    "instance": InstanceNorm2d,
    "none": None,
    "support": SupportNorm2d,
    "task": TaskNorm2d,
}


def omniglot_cnn(
    num_ways: int = 5,
    *,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    num_filters: int = 64,
    activation: MakeLayer = ReLU,
    norm: MakeNorm | None = BatchNorm2d,
) -> Network:
    """Return the net of the paper's released code: strides instead of pooling.

    Four blocks of 3 × 3 convolution (stride 2, padding 1), batch normalisation and
    activation, a row and a column of zeros after the second (28 → 14 → 7 → 8 → 4 → 2),
    then a linear layer.  P = 113,221 for five ways.

    Args:
        num_ways: Number of classes of a task.
        input_shape: (height, width, channels) of an image.
        num_filters: Channels of every block.
        activation: Makes the activation of a block.
        norm: Makes the normalisation of a block from its channels, such as those of
            ``NORMS``; None leaves it out.

    Raises:
        ValueError: If an image has not three sizes above 0.

    Source: Rajeswaran et al., code released with "Meta-Learning with Implicit
    Gradients", NeurIPS 2019.
    """
    height, width, channels = image_shape(input_shape)
    layers: dict[str, Layer] = {}
    for block in range(1, 5):
        conv = Conv2d(channels, num_filters, stride=(2, 2), padding=(1, 1))
        layers |= _block(block, conv, norm, activation)
        height, width = conv.window.counts(height, width)
        if block == 2:
            layers["pad"] = ZeroPad2d()
            height, width = height + 1, width + 1
        channels = num_filters
    return _with_head(layers, height * width * channels, num_ways, input_shape)


def conv4(
    num_ways: int = 5,
    *,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    num_filters: int = 64,
    activation: MakeLayer = ReLU,
    pool: MakeLayer = MaxPool2d,
    norm: MakeNorm | None = BatchNorm2d,
) -> Network:
    """Return the four blocks of convolution, normalisation, activation and pooling.

    28 × 28 images shrink to 1 × 1 pixel, 84 × 84 to 5 × 5.

    Args:
        num_ways: Number of classes of a task.
        input_shape: (height, width, channels) of an image; at least 16 × 16.
        num_filters: Channels of every block.
        activation: Makes the activation of a block.
        pool: Makes the pooling of a block, over 2 × 2 pixels.
        norm: Makes the normalisation of a block from its channels, such as those of
            ``NORMS``; None leaves it out.

    Raises:
        ValueError: If an image has not three sizes, or is too small.

    Source: Vinyals et al., "Matching Networks for One Shot Learning", NeurIPS 2016;
    Finn et al., "Model-Agnostic Meta-Learning", ICML 2017.
    """
    height, width, channels = image_shape(input_shape)
    if min(height, width) < 16:
        raise ValueError(
            "conv4 takes images of at least 16 × 16 pixels, (height, width, channels), "
            f"got {(height, width, channels)}"
        )
    layers: dict[str, Layer] = {}
    for block in range(1, 5):
        conv = Conv2d(channels, num_filters, padding=(1, 1))
        layers |= _block(block, conv, norm, activation)
        layers[f"pool{block}"] = made("pool", pool)
        height, width, channels = height // 2, width // 2, num_filters
    return _with_head(layers, height * width * channels, num_ways, input_shape)


def mlp(
    input_shape: tuple[int, ...] = (1,),
    hidden: Sequence[int] = (40, 40),
    num_outputs: int = 1,
    *,
    activation: MakeLayer = ReLU,
) -> Network:
    """Return fully connected layers with an activation after each hidden one.

    Args:
        input_shape: Shape of one input; images are flattened.
        hidden: Units of each hidden layer; the default is MAML's sinusoid network.
        num_outputs: Classes of a task, or dimension of a target.
        activation: Makes the activation.

    Source: Finn et al., "Model-Agnostic Meta-Learning", ICML 2017, section 5.1.
    """
    input_shape = sizes((28, 28, 1))("input_shape", input_shape)
    layers: dict[str, Layer] = {"flatten": Flatten()} if len(input_shape) > 1 else {}
    features = prod(input_shape)
    for i, units in enumerate(sizes((40, 40))("hidden", hidden), 1):
        layers[f"linear{i}"] = Linear(features, units)
        layers[f"activation{i}"] = made("activation", activation)
        features = units
    layers["head"] = Linear(features, num_outputs)
    return Network(layers, input_shape)


def linear(input_shape: tuple[int, ...] = (1,), num_outputs: int = 1) -> Network:
    """Return one linear layer: with the squared error, ridge regression towards θ.

    Its inner problem (1) has a closed-form solution, and with either loss it is convex,
    so that the error bound of docs/mathematics.md is proved.
    """
    return mlp(input_shape, (), num_outputs)


def image_shape(input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an image, (height, width, channels).

    Raises:
        ValueError: If it is not three integers above 0.
    """
    found = sizes((28, 28, 1))("input_shape", input_shape)
    if len(found) != 3:
        raise ValueError(
            f"input_shape must be (height, width, channels), got {tuple(found)}"
        )
    return found


def _block(number, conv, norm, activation) -> dict[str, Layer]:
    """Return convolution, normalisation (if any) and activation, numbered."""
    block = {f"conv{number}": conv}
    if norm is not None:
        block[f"norm{number}"] = norm(conv.out_channels)
    return block | {f"activation{number}": activation()}


def _with_head(layers, features, num_ways, input_shape) -> Network:
    """Return the network with a linear layer on the flattened features."""
    head = {"flatten": Flatten(), "head": Linear(features, num_ways)}
    return Network(layers | head, input_shape)


def made(name: str, make: Any) -> Layer:
    """Return the layer that a class, or a function, makes.

    Raises:
        TypeError: If it is neither, such as a layer that is made already.
    """
    if not callable(make):
        raise TypeError(
            f"{name} must be what makes a layer, such as layers.Tanh, got {brief(make)}"
        )
    return make()
