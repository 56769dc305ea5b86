"""Whether the gradient and the curvature of a network's loss are right.

The loss runs in any dtype, on any device; the witness always runs in float64 on the
host.  ``model_checks`` has a function for each claim.
"""

from typing import Any

import numpy

from ..compute import Array
from ..meta_gradients import TaskLoss
from ..networks import SoftmaxCrossEntropy, SquaredError
from .model_checks import (
    gauss_newton_check,
    grad_check,
    hvp_check,
    rough_grad_check,
    rough_hvp_check,
    shape_checks,
)
from .model_point import ModelPoint
from .model_run import ModelRun
from .rows import REQUIRED, Report
from .run import dtype_check, repeat_check, tasks_check


def check_network(model: Any, **options) -> Report:
    """Check a network or its loss: an AssertionError says what is wrong, and where.

    Args:
        model: A ``Network``, checked under the cross-entropy, or a ``TaskLoss``.
        **options: Those of :func:`network_report`.

    Returns:
        The report, all of whose checks passed.

    Raises:
        AssertionError: If one did not.
    """
    return network_report(model, **options).raise_if_failed()


def network_report(
    model: Any,
    *,
    num_tasks: int = 2,
    num_examples: int = 5,
    seed: int = 0,
    dtype: Any = numpy.float64,
    device: str = "cpu",
    required: float | None = None,
) -> Report:
    """Check a network or its loss at random parameters on random inputs, and report.

    Args:
        model: A ``Network``, checked under the cross-entropy, or a ``TaskLoss``.
        num_tasks: T, each with parameters of its own near an initial θ.
        num_examples: N per task.
        seed: Of the parameters, inputs, labels and directions.
        dtype: What the network runs in, float32 or float64.
        device: Where it runs, "cpu" or "cuda".
        required: Digits that pass; 12 in float64 and 5 in float32 unless given.
    """
    is_loss = hasattr(model, "linearize")
    loss = model if is_loss else TaskLoss(model, SoftmaxCrossEntropy())
    phi, x, y = random_point(loss, num_tasks, num_examples, seed)
    return loss_report(
        loss, phi, x, y, seed=seed, dtype=dtype, device=device, required=required
    )


def check_loss(loss: Any, phi: Array, x: Array, y: Array, **options) -> Report:
    """Check any loss with ``linearize``; an AssertionError says what is wrong.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        phi: Parameters of each task, (T, P), on the host.
        x: Inputs (T, N, ...).
        y: Labels or targets.
        **options: Those of :func:`loss_report`.

    Returns:
        The report, all of whose checks passed.

    Raises:
        AssertionError: If one did not.
    """
    return loss_report(loss, phi, x, y, **options).raise_if_failed()


def loss_report(
    loss: Any,
    phi: Array,
    x: Array,
    y: Array,
    *,
    seed: int = 0,
    dtype: Any = numpy.float64,
    device: str = "cpu",
    required: float | None = None,
) -> Report:
    """Check any loss with ``linearize`` at a point, and report.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        phi: Parameters of each task, (T, P), on the host; converted to float64.
        x: Inputs (T, N, ...), converted to float64.
        y: Labels, or targets, which are converted to float64.
        seed: Of the directions.
        dtype: What the loss runs in, float32 or float64.
        device: Where it runs, "cpu" or "cuda".
        required: Digits that pass; 12 in float64 and 5 in float32 unless given.
    """
    y = y if y.dtype.kind in "iu" else y.astype(numpy.float64)
    phi, x = phi.astype(numpy.float64), x.astype(numpy.float64)
    point = ModelPoint(loss, phi, x, y, seed)
    run = ModelRun(point, numpy.dtype(dtype), device)
    need = REQUIRED[run.dtype.name] if required is None else required
    checks = [
        grad_check(run, need),
        rough_grad_check(run),
        hvp_check(run, need),
        rough_hvp_check(run),
        *shape_checks(run, need),
        tasks_check(run, need),
        repeat_check(run),
        dtype_check(run),
    ]
    if isinstance(loss, TaskLoss):
        checks.insert(4, gauss_newton_check(run, need))
    return Report(f"loss of {phi.shape[1]} parameters on {x.shape}", tuple(checks))


def random_point(loss: Any, num_tasks: int, num_examples: int, seed: int):
    """Draw φ near an initial θ, inputs, and labels or targets: float64, host."""
    rng, net = numpy.random.default_rng(seed), loss.net
    theta = net.init(rng, dtype=numpy.float64)
    phi = theta + 0.1 * rng.normal(size=(num_tasks, net.layout.size))
    x = rng.normal(size=(num_tasks, num_examples, *net.input_shape))
    exact = (a.astype(numpy.float32).astype(numpy.float64) for a in (phi, x))
    return *exact, random_labels(loss, net.logits(phi, x).shape[:2], rng)


def random_labels(loss: Any, shape: tuple[int, int], rng) -> Array:
    """Draw labels (T, N), or targets (T, N, D) for the squared error."""
    if isinstance(loss.loss, SquaredError):
        return rng.normal(size=(*shape, loss.net.num_outputs))
    return rng.integers(loss.net.num_outputs, size=shape)
