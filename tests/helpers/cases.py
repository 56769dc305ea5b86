"""The layers and networks that the tests walk over; axes all of different lengths."""

from dataclasses import dataclass, fields, replace

import numpy as np

from imaml_ref.layers import (
    ELU,
    AfterSupport,
    AveragePool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAveragePool2d,
    Linear,
    MaxPool2d,
    ReLU,
    RunningNorm2d,
    Softplus,
    SupportNorm2d,
    Tanh,
    TaskNorm2d,
    ZeroPad2d,
)
from imaml_ref.networks import architectures
from tests.helpers import oracles

IMAGES = (2, 3, 5, 6, 4)  # T, N, H, W, C


@dataclass(frozen=True)
class LayerCase:
    """A layer, the shape of its input, and its value computed in another way.

    Args:
        layer: The layer.
        witness: A function of p and x that returns y.
        x_shape: Shape of x.
        at_zero: f'(0) and f''(0) as the derivation takes them, of an activation.
    """

    layer: object
    witness: object
    x_shape: tuple[int, ...] = IMAGES
    at_zero: tuple[float, float] | None = None

    def of(self, module):
        """Return the same case with the layer's class as another module defines it."""
        names = [f.name for f in fields(self.layer)] if is_dataclass(self.layer) else []
        arguments = {name: getattr(self.layer, name) for name in names}
        made = getattr(module, type(self.layer).__name__)(**arguments)
        return replace(self, layer=made)


def is_dataclass(layer):
    return hasattr(layer, "__dataclass_fields__")


def conv(out_channels=3, *, x_shape=IMAGES, **options):
    layer = Conv2d(x_shape[-1], out_channels, **options)

    def witness(p, x):
        bias = p.get("bias", np.zeros((len(x), out_channels)))
        return oracles.convolution(x, p["kernel"], bias, layer.stride, layer.padding)

    return LayerCase(layer, witness, x_shape)


def batch_norm(eps):
    def witness(p, x):
        return oracles.batch_norm(x, p["gamma"], p["beta"], eps)

    return LayerCase(BatchNorm2d(IMAGES[-1], eps=eps), witness)


def support_norm(layer):
    """Take α from the layer's parameters, task by task, and n from its settings."""

    def witness(p, x):
        n, y = layer.num_support or x.shape[1], np.empty_like(x)
        for t in range(len(x)):
            alpha = 1.0
            if "scale" in p:
                alpha = 1 / (1 + np.exp(-p["scale"][t, 0] * n - p["offset"][t, 0]))
            one = x[t : t + 1], p["gamma"][t : t + 1], p["beta"][t : t + 1]
            y[t] = oracles.task_norm(*one, layer.eps, support=n, alpha=alpha)[0]
        return y

    return LayerCase(layer, witness)


def running_norm(p, x):
    scaled = (x - [0.3, -1.0, 2.0, 0.1]) / np.sqrt([1.5, 0.7, 2.5, 1.0])
    return p["gamma"][:, None, None, None] * scaled + p["beta"][:, None, None, None]


def pool(layer, reduce):
    return LayerCase(layer, lambda p, x: oracles.pooled(x, layer.window, reduce))


def padded(p, x):
    return np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 2), (0, 0)))


def linear(p, x):
    return np.einsum("tni,tio->tno", x, p["kernel"]) + p["bias"][:, None]


def elu(p, x):
    return np.where(x > 0, x, 0.7 * np.expm1(x))


LAYERS = {
    "batch_norm": batch_norm(eps=1e-5),
    "batch_norm-large-eps": batch_norm(eps=0.5),
    "conv": conv(kernel_size=(3, 3)),
    "conv-no-bias": conv(kernel_size=(3, 3), use_bias=False),
    "conv-padded": conv(kernel_size=(3, 3), padding=(1, 1)),
    "conv-stride-2": conv(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1)),
    "conv-kernel-not-square": conv(kernel_size=(3, 2), stride=(1, 2), padding=(0, 2)),
    "conv-kernel-of-one": conv(kernel_size=(1, 1), stride=(2, 3)),
    "conv-window-does-not-divide": conv(kernel_size=(2, 4), stride=(2, 3)),
    "conv-gaps-between-windows": conv(kernel_size=(1, 2), stride=(3, 3)),
    "conv-one-channel": conv(x_shape=(2, 3, 7, 5, 1), stride=(2, 1), padding=(2, 0)),
    "linear": LayerCase(Linear(5, 4), linear, (2, 3, 5)),
    "linear-to-one": LayerCase(Linear(3, 1), linear, (3, 2, 3)),
    "relu": LayerCase(ReLU(), lambda p, x: np.maximum(x, 0), at_zero=(0, 0)),
    "relu-features": LayerCase(ReLU(), lambda p, x: np.maximum(x, 0), (2, 3, 5)),
    "softplus": LayerCase(
        Softplus(), lambda p, x: np.logaddexp(0, x), at_zero=(0.5, 0.25)
    ),
    "tanh": LayerCase(Tanh(), lambda p, x: 1 - 2 / (np.exp(2 * x) + 1), at_zero=(1, 0)),
    "elu": LayerCase(ELU(alpha=0.7), elu, at_zero=(0.7, 0.7)),
    "max_pool": pool(MaxPool2d((2, 3)), max),
    "max_pool-does-not-divide": pool(MaxPool2d((3, 4)), max),
    "average_pool": pool(AveragePool2d((2, 3)), np.mean),
    "average_pool-does-not-divide": pool(AveragePool2d((3, 4)), np.mean),
    "global_average_pool": LayerCase(
        GlobalAveragePool2d(), lambda p, x: x.reshape(2, 3, 30, 4).mean(2)
    ),
    "support_norm": support_norm(SupportNorm2d(4)),
    "support_norm-queries": support_norm(SupportNorm2d(4, eps=0.5, num_support=2)),
    "task_norm": support_norm(TaskNorm2d(4)),
    "task_norm-queries": support_norm(TaskNorm2d(4, eps=0.5, num_support=2)),
    "running_norm": LayerCase(
        RunningNorm2d([0.3, -1.0, 2.0, 0.1], [1.0, 0.2, 2.0, 0.5], eps=0.5),
        running_norm,
    ),
    "after_support": LayerCase(AfterSupport(2), lambda p, x: x[:, [2]]),
    "zero_pad": LayerCase(ZeroPad2d(bottom=1, right=2), padded),
    "flatten": LayerCase(
        Flatten(), lambda p, x: np.array([[np.ravel(n) for n in t] for t in x])
    ),
}

SMALL = {"input_shape": (14, 13, 2), "num_filters": 3}
SMALL_CONV4 = {"input_shape": (16, 17, 2), "num_filters": 3}

# Every architecture as it is, with kinks, and made smooth.
KINKED = {
    "omniglot_cnn": architectures.omniglot_cnn(3, **SMALL),
    "conv4": architectures.conv4(3, **SMALL_CONV4),
    "mlp": architectures.mlp((3,), (5, 4), 2),
}
SMOOTH = {
    "omniglot_cnn-softplus": architectures.omniglot_cnn(
        3, **SMALL, activation=Softplus
    ),
    "omniglot_cnn-tanh-no-norm": architectures.omniglot_cnn(
        3, **SMALL, activation=Tanh, norm=None
    ),
    "conv4-softplus-average": architectures.conv4(
        3, **SMALL_CONV4, activation=Softplus, pool=AveragePool2d
    ),
    "mlp-tanh": architectures.mlp((3,), (5, 4), 2, activation=Tanh),
    "mlp-elu-images": architectures.mlp((3, 2, 1), (5,), 4, activation=ELU),
    "linear": architectures.linear((3, 2), 4),
}
NETWORKS = KINKED | SMOOTH
