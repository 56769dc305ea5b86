"""Each layer and each loss: its four (three) methods against their witnesses."""

from collections.abc import Iterator

import numpy

from .. import layers
from ..checks import complex_step, layer_report
from ..compute import Array
from ..networks import Loss, SoftmaxCrossEntropy, SquaredError
from .rows import Row, Setting, draw, summary

IMAGES = (2, 3, 5, 6, 4)  # T, N, H, W, C: all different, so that a swap shows
ONE = {"linear": layers.Linear(5, 4)}
TWO = {"gelu": layers.GELU()} | ONE
LAYERS: tuple[tuple[str, layers.Layer, tuple[int, ...]], ...] = (
    ("convolution 3 × 3", layers.Conv2d(4, 3), IMAGES),
    (
        "convolution 3 × 2, stride, pad",
        layers.Conv2d(4, 3, (3, 2), stride=(2, 1), padding=(1, 2), use_bias=False),
        IMAGES,
    ),
    ("linear", layers.Linear(5, 4), (2, 3, 5)),
    ("batch norm", layers.BatchNorm2d(4), IMAGES),
    ("batch norm, ε = 0.5", layers.BatchNorm2d(4, eps=0.5), IMAGES),
    ("support norm", layers.SupportNorm2d(4, num_support=2), IMAGES),
    ("TaskNorm", layers.TaskNorm2d(4, num_support=2), IMAGES),
    ("running norm", layers.RunningNorm2d(numpy.arange(4), numpy.arange(1, 5)), IMAGES),
    ("after the support set", layers.AfterSupport(2), IMAGES),
    ("ReLU", layers.ReLU(), IMAGES),
    ("softplus", layers.Softplus(), IMAGES),
    ("tanh", layers.Tanh(), IMAGES),
    ("ELU", layers.ELU(alpha=0.7), IMAGES),
    ("leaky ReLU", layers.LeakyReLU(0.2), IMAGES),
    ("SiLU", layers.SiLU(), IMAGES),
    ("GELU", layers.GELU(), IMAGES),
    ("GELU by tanh", layers.GELUTanh(), IMAGES),
    ("layer norm", layers.LayerNorm((5, 6, 4)), IMAGES),
    ("group norm", layers.GroupNorm(2, 4), IMAGES),
    ("instance norm", layers.InstanceNorm2d(4), IMAGES),
    ("residual", layers.Residual(TWO, ONE), (2, 3, 5)),
    ("max-pool 2 × 3", layers.MaxPool2d((2, 3)), IMAGES),
    ("average-pool 3 × 2", layers.AveragePool2d((3, 2)), IMAGES),
    ("global average-pool", layers.GlobalAveragePool2d(), IMAGES),
    ("zero pad", layers.ZeroPad2d(bottom=1, right=2), IMAGES),
    ("flatten", layers.Flatten(), IMAGES),
)
KINDS = {
    "jvp: derivative of forward": "jvp is",
    "vjp: adjoint of jvp": "vjp is the adjoint",
    "vjp_dot: derivative of vjp": "vjp_dot is",
    "complex step passes through": "safe",
}


def layer_rows(setting: Setting) -> Iterator[Row]:
    """Yield five rows for each layer."""
    for name, layer, x_shape in LAYERS:
        report = layer_report(
            layer, x_shape, dtype=setting.dtype, device=setting.device
        )
        yield from summary(name, report, KINDS)


def loss_rows(setting: Setting) -> Iterator[Row]:
    """Yield the gradient and the Hessian of each loss in the outputs."""
    rng = numpy.random.default_rng(0)
    labels, targets = rng.integers(5, size=(2, 3)), draw(rng, 2, 3, 5)
    yield from one_loss(setting, "cross-entropy", SoftmaxCrossEntropy(), labels)
    yield from one_loss(setting, "squared error", SquaredError(), targets)


def one_loss(setting: Setting, name: str, loss: Loss, y: Array) -> Iterator[Row]:
    """Yield the rows of one loss with labels or targets y."""
    rng = numpy.random.default_rng(1)
    z, z_dot = draw(rng, 2, 3, 5), draw(rng, 2, 3, 5)

    def value(z):
        return loss.forward(z, y)[0]

    def grad(z):
        return loss.grad(loss.forward(z, y)[1])

    z_dot_on = setting.put(z_dot)
    _, saved = loss.forward(setting.put(z), setting.put(y))
    got = (loss.grad(saved) * z_dot_on).sum((1, 2))
    pair = (got, complex_step(value, z, z_dot))
    yield setting.row(name, "gradient", "complex step of the value", pair, (12, 5))
    pair = (loss.hvp(saved, z_dot_on), complex_step(grad, z, z_dot))
    witness = "complex step of the gradient"
    yield setting.row(name, "product with the Hessian", witness, pair, (12, 5))
