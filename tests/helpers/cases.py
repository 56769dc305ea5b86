"""The layers and networks that the tests walk over; axes all of different lengths."""

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from imaml_ref.layers import (
    ELU,
    GELU,
    AfterSupport,
    AveragePool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GELUTanh,
    GlobalAveragePool2d,
    GroupNorm,
    InstanceNorm2d,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    RunningNorm2d,
    SiLU,
    Softplus,
    SupportNorm2d,
    Tanh,
    TaskNorm2d,
    ZeroPad2d,
)
from imaml_ref.networks import Network, architectures
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


def normalised(layer, sets, x_shape=IMAGES):
    """The sets of one example: what numbers them, which broadcasts to its shape."""
    sets = np.broadcast_to(sets, x_shape[2:])

    def witness(p, x):
        return oracles.normalised(x, sets, p["gamma"], p["beta"], layer.eps)

    return LayerCase(layer, witness, x_shape)


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


def gelu(p, x):
    return x * np.vectorize(lambda a: 1 + math.erf(a / 2**0.5))(x) / 2


def gelu_tanh(p, x):
    return x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2


def leaky(p, x):
    return np.maximum(x, 0) + 0.2 * np.minimum(x, 0)


def residual(p, x):
    """Of the layers of "residual-skip"."""
    bias = np.zeros((2, 3))
    y = oracles.convolution(x, p["body.conv.kernel"], bias, (2, 1), (1, 1))
    gamma, beta = (p[f"body.norm.{n}"] for n in ("gamma", "beta"))
    y = oracles.batch_norm(y, gamma, beta, 1e-5)
    kernel, bias = (p[f"body.inner.body.conv.{n}"] for n in ("kernel", "bias"))
    y = y + np.tanh(oracles.convolution(y, kernel, bias, (1, 1), (0, 1)))
    kernel, bias = (p[f"skip.conv.{n}"] for n in ("kernel", "bias"))
    return y + oracles.convolution(x, kernel, bias, (2, 1), (0, 0))


def residual_linear(p, x):
    kernel, bias = p["body.linear.kernel"], p["body.linear.bias"]
    return x + linear({"kernel": kernel, "bias": bias}, np.tanh(x))


INNER = Residual({"conv": Conv2d(3, 3, (1, 3), padding=(0, 1)), "tanh": Tanh()})
BODY = {
    "conv": Conv2d(4, 3, stride=(2, 1), padding=(1, 1), use_bias=False),
    "norm": BatchNorm2d(3),
    "inner": INNER,
}
SKIP = {"conv": Conv2d(4, 3, (1, 1), stride=(2, 1))}
PIXELS = np.arange(30).reshape(5, 6, 1)

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
    "leaky_relu": LayerCase(LeakyReLU(0.2), leaky, at_zero=(0.2, 0)),
    "silu": LayerCase(SiLU(), lambda p, x: x / (1 + np.exp(-x)), at_zero=(0.5, 0.5)),
    "gelu": LayerCase(GELU(), gelu, at_zero=(0.5, (2 / np.pi) ** 0.5)),
    "gelu_tanh": LayerCase(GELUTanh(), gelu_tanh, at_zero=(0.5, (2 / np.pi) ** 0.5)),
    "layer_norm": normalised(LayerNorm((5, 6, 4), eps=0.3), 0),
    "layer_norm-pixels": normalised(LayerNorm(4), PIXELS),
    "layer_norm-features": normalised(LayerNorm(5), 0, (2, 3, 5)),
    "group_norm": normalised(GroupNorm(2, 4), [0, 0, 1, 1]),
    "group_norm-one": normalised(GroupNorm(1, 4, eps=0.5), 0),
    "group_norm-features": normalised(GroupNorm(2, 6), [0, 0, 0, 1, 1, 1], (2, 3, 6)),
    "instance_norm": normalised(InstanceNorm2d(4), [0, 1, 2, 3]),
    "residual": LayerCase(
        Residual({"tanh": Tanh(), "linear": Linear(5, 5)}), residual_linear, (2, 3, 5)
    ),
    "residual-skip": LayerCase(Residual(BODY, SKIP), residual),
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
    "omniglot_cnn-silu-layer": architectures.omniglot_cnn(
        3, **SMALL, activation=SiLU, norm=architectures.NORMS["layer"]
    ),
    "conv4-gelu-instance": architectures.conv4(
        3, **SMALL_CONV4, activation=GELU, pool=AveragePool2d, norm=InstanceNorm2d
    ),
    "residual": Network(
        {
            "residual": Residual({"linear": Linear(3, 3), "gelu": GELUTanh()}),
            "wider": Residual({"linear": Linear(3, 4)}, {"skip": Linear(3, 4)}),
            "norm": LayerNorm(4),
            "head": Linear(4, 2),
        },
        (3,),
    ),
    "mlp-tanh": architectures.mlp((3,), (5, 4), 2, activation=Tanh),
    "mlp-elu-images": architectures.mlp((3, 2, 1), (5,), 4, activation=ELU),
    "linear": architectures.linear((3, 2), 4),
}
NETWORKS = KINKED | SMOOTH
