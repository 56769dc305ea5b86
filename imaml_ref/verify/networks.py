"""Each architecture: gradient, Hessian and Gauss-Newton products of its task loss."""

from collections.abc import Iterator
from functools import partial

import numpy

from ..checks import as_digits, network_report, random_point, taylor_slopes
from ..compute import to_host
from ..layers import ELU, AveragePool2d, Softplus, SupportNorm2d, Tanh, TaskNorm2d
from ..meta_gradients import TaskLoss
from ..networks import Network, SoftmaxCrossEntropy, SquaredError, architectures
from .rows import Row, Setting, summary

small_omniglot_cnn = partial(
    architectures.omniglot_cnn, 3, input_shape=(14, 13, 2), num_filters=3
)
small_conv4 = partial(architectures.conv4, 3, input_shape=(16, 17, 2), num_filters=3)
KINDS = {
    "gradient": "grad is",
    "Hessian product": "hvp is the derivative",
    "Gauss-Newton product": "gnvp is",
    "Hessian symmetric and linear": "symmetric|linear",
    "complex step passes through": "passes through",
}


def kinked() -> Iterator[tuple[str, Network]]:
    """Yield small versions of the networks with ReLU and max-pooling."""
    yield "omniglot_cnn, 3 filters", small_omniglot_cnn()
    yield "conv4, 3 filters", small_conv4()
    yield "mlp", architectures.mlp((3,), (5, 4), 2)
    yield "linear", architectures.linear((3, 2), 4)


def smooth() -> Iterator[tuple[str, Network]]:
    """Yield small versions without kinks: Taylor's remainders tell of them too."""
    yield "omniglot_cnn, softplus", small_omniglot_cnn(activation=Softplus)
    plain = small_omniglot_cnn(activation=Tanh, norm=None)
    yield "omniglot_cnn, tanh, no norm", plain
    pooled = small_conv4(activation=Softplus, pool=AveragePool2d)
    yield "conv4, softplus, average-pool", pooled
    for norm in (SupportNorm2d, TaskNorm2d):
        net = small_omniglot_cnn(activation=Softplus, norm=norm)
        yield f"omniglot_cnn, {norm.__name__}, queries", net.given(2)
    yield "mlp, ELU", architectures.mlp((3, 2), (5, 4), 2, activation=ELU)


def network_rows(setting: Setting) -> Iterator[Row]:
    """Yield the rows of every architecture, and of the net of the paper in full."""
    for name, net in [*kinked(), *smooth()]:
        yield from one_network(setting, name, TaskLoss(net, SoftmaxCrossEntropy()))
    regression = TaskLoss(architectures.mlp((3,), (5, 4), 2), SquaredError())
    yield from one_network(setting, "mlp, squared error", regression)
    if not setting.quick:
        full = TaskLoss(architectures.omniglot_cnn(5), SoftmaxCrossEntropy())
        yield from one_network(setting, "omniglot_cnn, 64 filters", full)
    for name, net in smooth():
        yield from taylor_rows(setting, name, TaskLoss(net, SoftmaxCrossEntropy()))


def one_network(setting: Setting, name: str, loss: TaskLoss) -> Iterator[Row]:
    """Yield the worst check of each kind."""
    report = network_report(loss, dtype=setting.dtype, device=setting.device)
    return summary(name, report, KINDS)


def taylor_rows(setting: Setting, name: str, loss: TaskLoss) -> Iterator[Row]:
    """Yield the orders of Taylor's remainders, as agreement with 2 and 3.

    The value is that of the witness in float64; slope and curvature are the subject's.
    """
    phi, x, y = random_point(loss, 1, 5, seed=1)
    v = numpy.random.default_rng(2).normal(size=phi.shape)
    v = (v / numpy.linalg.norm(v)).astype(numpy.float32).astype(numpy.float64)
    lin = loss.linearize(setting.put(phi), setting.put(x), setting.put(y))
    slopes = taylor_slopes(
        lambda phi: loss.value(phi, x, y)[0],
        phi,
        v,
        slope=float((to_host(lin.grad) * v).sum()),
        curvature=float((to_host(lin.hvp(setting.put(v))) * v).sum()),
        steps=(4e-3, 2e-3, 1e-3) if setting.double else (0.1, 0.05, 0.025),
    )
    for order, slope in zip((2, 3), slopes, strict=True):
        claim = f"Taylor's remainder of order {order}, slope {slope:.3f}"
        score = as_digits(abs(slope / order - 1))
        yield Row(name, claim, "values in float64", score, 1.0)
