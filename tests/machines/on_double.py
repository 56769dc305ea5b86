"""Problems and trainings for the double of a device."""

from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.compute.readings import settle, waiting
from imaml_ref.data import Episodes, Sinusoids, TaskBatch
from imaml_ref.training.evaluation import beside
from imaml_ref.training.loop import meta_train
from tests.helpers.tiny_runs import make_images


def on_device(problem):
    """Return θ and the tasks of a problem on the device."""
    theta = to_device(problem.theta)
    return theta, beside(theta, problem.tasks)


def looked_at_late(algorithm, theta, tasks):
    """Call an algorithm while readings wait, and settle them."""
    with waiting() as readings:
        algorithm(theta, tasks)
    settle(readings)


@dataclass(frozen=True)
class Training:
    """What is trained, on what, and how."""

    net: ir.Network
    loss: ir.networks.losses.Loss
    source: object
    dtype: type = np.float32

    @property
    def algorithm(self):
        loss = ir.TaskLoss(self.net, self.loss)
        return ir.IMAML(loss, 2.0, ir.GradientDescent(0.05, 3), solver=ir.CG(2))

    @property
    def theta(self):
        return self.net.init(np.random.default_rng(0), dtype=self.dtype) / 2

    def train(self, theta=None, *, steps=7, **changes):
        """Return the last state and the rows."""
        rows = []
        settings = {
            "optimizer": ir.Adam(1e-2),
            "meta_batch": 3,
            "validation_interval": 4,
            "validation_tasks": 3,
            "observe": lambda _, row: rows.append(row),
        }
        state = meta_train(
            self.algorithm,
            self.theta if theta is None else theta,
            self.source,
            meta_steps=steps,
            **settings | changes,
        )
        return state, rows


@dataclass(frozen=True)
class Overflowing:
    """Tasks whose numbers are, from one step on, the largest that there are.

    Sums of them overflow in whichever order, so that a training diverges there on every
    processor; a step that is too long may go on for ever.
    """

    source: object
    last_good: int

    def sample(self, *args, step, **kwargs):
        tasks = self.source.sample(*args, step=step, **kwargs)
        if step < self.last_good:
            return tasks
        arrays = (tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y)
        return TaskBatch(*(a if a.dtype.kind == "i" else largest(a) for a in arrays))


def largest(a):
    return np.full_like(a, np.finfo(a.dtype).max)


def images(size=8):
    net = ir.architectures.omniglot_cnn(3, input_shape=(size, size, 1), num_filters=2)
    data = make_images(size=size)
    return Training(net, ir.SoftmaxCrossEntropy(), Episodes(data, 3, 1, 2))


def curves():
    net = ir.architectures.mlp((1,), (8, 8), 1)
    return Training(net, ir.SquaredError(), Sinusoids(5, 6), np.float64)


def assert_same_state(got, want):
    for name in ("step", "theta", "lam"):
        theirs = getattr(got, name)
        theirs = theirs.get() if hasattr(theirs, "get") else theirs
        assert_array_equal(theirs, getattr(want, name), err_msg=name)
    for name, a in want.optimizer.items():
        assert_array_equal(got.optimizer[name].get(), a, err_msg=name)
    if want.best is not None:
        assert got.best.step == want.best.step
        assert got.best.score == want.best.score
        assert_array_equal(got.best.theta.get(), want.best.theta)


def assert_same_rows(got, want):
    seconds = [row.pop("seconds") for row in got]
    assert seconds == sorted(seconds)
    for row in want:
        row.pop("seconds")
    np.testing.assert_equal(got, want)
