"""The networks of the suite: small, with axes of different lengths."""

from collections.abc import Callable

from ..layers import (
    AveragePool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAveragePool2d,
    Layer,
    Linear,
    MaxPool2d,
    Softplus,
    ZeroPad2d,
)
from ..networks import Network, architectures


def mlp(activation: Callable, outputs: int = 3, hidden: tuple[int, ...] = (4,)):
    """Return a network on three features."""
    return architectures.mlp((3,), hidden, outputs, activation=activation)


def conv_net(*middle, bias: bool = True) -> Network:
    """Return a convolution, more layers, and a linear layer of three outputs."""
    image, channels, features = (5, 4, 1), 3, 12
    conv = Conv2d(image[-1], channels, padding=(1, 1), use_bias=bias)
    layers: dict[str, Layer] = {"conv1": conv}
    layers |= {name_of(layer): layer for layer in middle}
    layers |= {"flatten": Flatten(), "head": Linear(features, 3)}
    return Network(layers, image)


def name_of(layer: Layer) -> str:
    """Return what a layer of the middle is called."""
    if isinstance(layer, BatchNorm2d):
        return "norm1"
    pools = isinstance(layer, AveragePool2d | MaxPool2d)
    return "pool1" if pools else "activation1"


def strided_net(activation: Callable) -> Network:
    """Return two strided blocks with a row and a column of zeros between them."""
    layers = {
        "conv1": Conv2d(1, 2, stride=(2, 2), padding=(1, 1), use_bias=False),
        "norm1": BatchNorm2d(2),
        "activation1": activation(),
        "pad": ZeroPad2d(),
        "conv2": Conv2d(2, 3, (3, 2), stride=(2, 1), use_bias=False),
        "norm2": BatchNorm2d(3),
        "activation2": activation(),
        "flatten": Flatten(),
        "head": Linear(9, 3),
    }
    return Network(layers, (6, 5, 1))


def conv_global() -> Network:
    """Return a network on images of two channels."""
    layers = {
        "conv1": Conv2d(2, 4, kernel_size=(2, 3)),
        "activation1": Softplus(),
        "pool1": GlobalAveragePool2d(),
        "head": Linear(4, 3),
    }
    return Network(layers, (4, 5, 2))
