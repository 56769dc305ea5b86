"""Networks for the fused path, each with something that another has not."""

from imaml_ref.layers import (
    ELU,
    GELU,
    AveragePool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAveragePool2d,
    GroupNorm,
    InstanceNorm2d,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    SiLU,
    Softplus,
    Tanh,
    ZeroPad2d,
)
from imaml_ref.networks import architectures
from imaml_ref.networks.network import Network


def chain(input_shape, *layers):
    """Return a network of layers, numbered."""
    return Network({f"l{i}": layer for i, layer in enumerate(layers)}, input_shape)


def block(channels, filters, *, eps=1e-5, **conv):
    """Return convolution, normalisation and ReLU."""
    norm = BatchNorm2d(filters, eps=eps)
    return Conv2d(channels, filters, **conv), norm, ReLU()


PADDED = {"padding": (1, 1)}
STRIDED = {"padding": (1, 1), "stride": (2, 2)}


class Power(Layer):
    """A user's own layer: y = √(x + a), for x ≥ 0 alone, with one a per task."""

    shapes = {"a": (1,)}  # noqa: RUF012

    def init(self, rng):
        return {"a": rng.uniform(1, 2, 1)}

    def forward(self, p, x):
        y = (x + self.wide(p)) ** 0.5
        return y, y

    def jvp(self, p, saved, p_dot, x_dot):
        y_dot = (x_dot + self.wide(p_dot)) / (2 * saved)
        return y_dot, y_dot

    def vjp(self, p, saved, y_bar):
        x_bar = y_bar / (2 * saved)
        return {"a": x_bar.sum((1, 2, 3, 4))[:, None]}, x_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        x_bar_dot = y_bar_dot / (2 * saved) - y_bar * saved_dot / (2 * saved**2)
        return {"a": x_bar_dot.sum((1, 2, 3, 4))[:, None]}, x_bar_dot

    def wide(self, p):
        return p["a"][:, :, None, None, None]


OMNIGLOT, CONV4 = architectures.omniglot_cnn, architectures.conv4
COVERED = {
    "omniglot_cnn": OMNIGLOT(3, input_shape=(14, 13, 2), num_filters=3),
    "omniglot_cnn-7-filters": OMNIGLOT(5, input_shape=(11, 12, 1), num_filters=7),
    "omniglot_cnn-1-filter": OMNIGLOT(2, input_shape=(9, 10, 3), num_filters=1),
    "conv4": CONV4(3, input_shape=(16, 17, 2), num_filters=3),
    "conv4-average": CONV4(
        4, input_shape=(17, 16, 1), num_filters=2, pool=AveragePool2d
    ),
    "one-block-flat": chain((4, 5, 2), *block(2, 3), Flatten()),
    "one-block-mean": chain((4, 5, 2), *block(2, 3, **PADDED), GlobalAveragePool2d()),
    "two-blocks-flat": chain(
        (5, 4, 2), *block(2, 3, **PADDED), *block(3, 2, **STRIDED), Flatten()
    ),
    "elu-linear": chain(
        (4, 5, 1),
        *block(1, 3),
        ELU(0.7),
        Flatten(),
        Linear(18, 4),
        Tanh(),
        Linear(4, 3),
    ),
    "linear-linear": chain(
        (4, 5, 1), *block(1, 3), Flatten(), Linear(18, 4), Softplus(), Linear(4, 3)
    ),
    "pads-in-a-row": chain(
        (4, 5, 2),
        *block(2, 3),
        ZeroPad2d(1, 0),
        ZeroPad2d(2, 3),
        *block(3, 2, stride=(2, 2)),
        Flatten(),
    ),
    "pad-padding": chain(
        (4, 5, 2), *block(2, 3), ZeroPad2d(2, 1), *block(3, 2, **STRIDED), Flatten()
    ),
    "pad-nobody-meets": chain(
        (5, 5, 1),
        *block(1, 2),
        ZeroPad2d(1, 1),
        *block(2, 3, kernel_size=(2, 2), stride=(3, 3)),
        Flatten(),
    ),
    "pad-before-the-head": chain(
        (4, 5, 1), *block(1, 2), ZeroPad2d(1, 2), Flatten(), Linear(30, 3)
    ),
    "pool-pad-block": chain(
        (6, 7, 1),
        *block(1, 2, **PADDED),
        MaxPool2d(),
        ZeroPad2d(1, 1),
        *block(2, 3, **PADDED),
        Flatten(),
    ),
    "no-bias": chain(
        (5, 4, 2),
        *block(2, 3, use_bias=False, **PADDED),
        *block(3, 2, use_bias=False),
        Flatten(),
    ),
    "stride-2-1": chain(
        (6, 5, 2),
        *block(2, 3, stride=(2, 1), kernel_size=(3, 2)),
        *block(3, 2, stride=(2, 1), padding=(1, 0)),
        Flatten(),
    ),
    "kernel-3-2": chain(
        (6, 7, 3),
        *block(3, 4, kernel_size=(3, 2), stride=(1, 2), padding=(0, 2)),
        *block(4, 3, kernel_size=(3, 2), padding=(3, 1)),
        Flatten(),
    ),
    "gaps": chain(
        (7, 8, 1),
        *block(1, 3, kernel_size=(1, 2), padding=(0, 1)),
        *block(3, 2, kernel_size=(1, 2), stride=(3, 3)),
        Flatten(),
    ),
    "kernel-of-one": chain(
        (5, 4, 3),
        *block(3, 4, kernel_size=(1, 1), stride=(2, 1)),
        *block(4, 3, kernel_size=(1, 1)),
        Flatten(),
    ),
    "large-eps": chain(
        (5, 4, 2),
        *block(2, 3, eps=0.5, **PADDED),
        *block(3, 3, eps=0.7, **PADDED),
        GlobalAveragePool2d(),
    ),
    "no-relu-second": chain(
        (6, 5, 2),
        *block(2, 3),
        Conv2d(3, 2, **PADDED),
        BatchNorm2d(2),
        Softplus(),
        *block(2, 3),
        Flatten(),
    ),
    "own-layer": chain(
        (5, 4, 2), *block(2, 3), Power(), *block(3, 2, kernel_size=(1, 2)), Flatten()
    ),
    "residual-gated-normed": chain(
        (5, 6, 2),
        *block(2, 3, **PADDED),
        GroupNorm(1, 3),
        SiLU(),
        Residual({"conv": Conv2d(3, 3, (3, 1), padding=(1, 0)), "gelu": GELU()}),
        *block(3, 2, kernel_size=(1, 2)),
        LeakyReLU(0.2),
        Flatten(),
        LayerNorm(50),
        Linear(50, 3),
    ),
    "wide-blocks": chain(
        (6, 6, 1), *block(1, 48, **STRIDED), *block(48, 33, **PADDED), Flatten()
    ),
}


class Doubled(ReLU):
    """A subclass of a layer, with another meaning."""

    def forward(self, p, x):
        y, saved = super().forward(p, x)
        return 2 * y, saved

    def jvp(self, p, saved, p_dot, x_dot):
        return 2 * saved.s * x_dot, super().jvp(p, saved, p_dot, x_dot)[1]

    def vjp(self, p, saved, y_bar):
        return {}, 2 * saved.s * y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        return {}, 2 * saved.s * y_bar_dot


class OwnConv(Conv2d):
    """A subclass that may do anything."""


class OwnNorm(BatchNorm2d):
    """A subclass that may do anything."""


def nearly(conv=Conv2d, norm=BatchNorm2d, relu=ReLU):
    """Return what would be one block, were it not for a class."""
    return chain((4, 5, 1), conv(1, 3), norm(3), relu(), Flatten())


UNCOVERED = {
    "tanh": nearly(relu=Tanh),
    "softplus": nearly(relu=Softplus),
    "relu-subclass": nearly(relu=Doubled),
    "conv-subclass": nearly(conv=OwnConv),
    "norm-subclass": nearly(norm=OwnNorm),
    "layer-norm": nearly(norm=LayerNorm),
    "group-norm": nearly(norm=lambda channels: GroupNorm(1, channels)),
    "instance-norm": nearly(norm=InstanceNorm2d),
    "leaky": nearly(relu=LeakyReLU),
    "gelu": nearly(relu=GELU),
    "block-in-a-residual": chain(
        (4, 5, 2),
        Residual(dict(zip("cnr", block(2, 2, **PADDED), strict=True))),
        Flatten(),
    ),
    "no-norm": OMNIGLOT(3, input_shape=(5, 6, 1), num_filters=2, norm=None),
    "pad-first": chain((4, 4, 1), ZeroPad2d(), *block(1, 2), Flatten()),
    "norm-after": chain((4, 4, 1), Conv2d(1, 2), ReLU(), BatchNorm2d(2), Flatten()),
    "too-short": chain((4, 4, 1), Conv2d(1, 2), BatchNorm2d(2), Flatten()),
    "mlp": architectures.mlp((3, 2), (4,), 3),
}
