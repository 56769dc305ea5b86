"""Problems on which the meta-step by kernels is compared with the plain one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.fused import plain_path
from imaml_ref.kernels import DeviceLinearization, device_stage
from imaml_ref.layers import Flatten, Linear, MaxPool2d
from imaml_ref.networks import architectures
from tests.helpers.fused_nets import PADDED, block, chain
from tests.helpers.fused_points import loss_of, values
from tests.machines.on_double import on_device

SMALL = {"num_filters": 8}  # a multiple of four, for fused blocks
# Strided, pooled, and of other sizes.
NETS = {
    "omniglot_cnn": architectures.omniglot_cnn(5, input_shape=(20, 20, 1), **SMALL),
    "conv4": architectures.conv4(4, input_shape=(16, 17, 2), **SMALL),
    "3-way": architectures.omniglot_cnn(3, input_shape=(18, 17, 2), num_filters=4),
}
# Of few pixels: on fibers each multiplication counts.
ON_FIBERS = {
    "strided": architectures.omniglot_cnn(3, input_shape=(17, 9, 1), num_filters=4),
    "pooled": chain(
        (8, 9, 2),
        *block(2, 4, **PADDED),
        MaxPool2d(),
        *block(4, 5, **PADDED),
        Flatten(),
        Linear(80, 3),
    ),
}


@dataclass(frozen=True)
class Problem:
    """A loss, θ and tasks."""

    loss: Any
    theta: Any
    tasks: Any

    def astype(self, dtype):
        t = self.tasks
        support_x, query_x = (x.astype(dtype) for x in (t.support_x, t.query_x))
        tasks = ir.TaskBatch(support_x, t.support_y, query_x, t.query_y)
        return Problem(self.loss, self.theta.astype(dtype), tasks)

    def gradient(self, steps=6, **options):
        """Return the implicit meta-gradient with all that may be kept."""
        options = {"inner": ir.GradientDescent(0.1, steps), "lam": 2.0} | options
        return ir.implicit_gradient(
            self.loss, self.theta, self.tasks, keep=("phi", "task_grads"), **options
        )

    def plain(self, *args, **options):
        with plain_path():
            return self.gradient(*args, **options)


def spoken(at):
    """Return what a linearisation by kernels says at a point."""
    lin = at.linearize()
    assert isinstance(lin, DeviceLinearization)
    return values(lin, at.v)


def moved(at):
    """Return a problem on the device."""
    return Problem(at.loss, *on_device(at))


def problem(name="omniglot_cnn", num_tasks=3, shots=1, queries=2, seed=0):
    """Draw images of noise, for each task its own, and θ near an initial one."""
    rng, loss = np.random.default_rng(seed), loss_of((NETS | ON_FIBERS)[name])
    ways, shape = loss.net.num_outputs, loss.net.input_shape

    def half(each):
        y = np.tile(np.repeat(np.arange(ways), each), (num_tasks, 1))
        return rng.uniform(size=(*y.shape, *shape)), y

    theta = loss.net.init(rng)
    theta = theta + 0.1 * rng.normal(size=theta.shape)
    return Problem(loss, theta, ir.TaskBatch(*half(shots), *half(queries)))


def staged(at, name, *args, **options):
    """Return the meta-gradient of a problem at a stage."""
    with device_stage(name):
        return at.gradient(*args, **options)


FIELDS = (
    "inner_residual",
    "solver_residual",
    "smallest_ritz",
    "cosine",
    "negative_curvature",
    "num_products",
    "status",
    "query_loss",
    "support_loss",
    "query_accuracy",
)


def assert_alike(got, want, least):
    """Compare all that a meta-gradient has to say, in digits, task by task."""
    compared = [
        ("grad", got.grad[None], want.grad[None]),
        ("phi", got.phi, want.phi),
        ("task_grads", got.task_grads, want.task_grads),
    ]
    compared += [
        (f, getattr(got.diagnostics, f), getattr(want.diagnostics, f)) for f in FIELDS
    ]
    for name, ours, theirs in compared:
        assert ours.dtype == theirs.dtype, name
        found = min(digits(a, b) for a, b in zip(ours, theirs, strict=True))
        assert found >= least, f"{name}: {found:.1f} digits"
    # For scalar λ it is a sum in which much cancels.
    assert digits(np.array(got.lam_grad), np.array(want.lam_grad)) >= least - 2
