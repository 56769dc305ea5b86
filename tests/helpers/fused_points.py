"""Points at which the fused path is compared with the plain one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.checks.models import random_point
from imaml_ref.fused import FusedExamples, is_plain, plain_path
from imaml_ref.meta_gradients.objective import TaskLoss
from imaml_ref.networks.losses import SoftmaxCrossEntropy
from tests.helpers.fused_nets import COVERED

needs_fused = pytest.mark.skipif(is_plain(), reason="IMAML_REF_PLAIN is set")


def loss_of(net, outer=None):
    return TaskLoss(net, outer or SoftmaxCrossEntropy())


@dataclass(frozen=True)
class Point:
    """A loss at φ, with a direction v."""

    loss: Any
    phi: Any
    x: Any
    y: Any
    v: Any

    def linearize(self):
        return self.loss.linearize(self.phi, self.x, self.y)

    def plain(self):
        with plain_path():
            return self.linearize()

    def examples(self):
        found = self.loss.on(self.phi[0], self.x, self.y)
        assert isinstance(found, FusedExamples)
        return found

    def astype(self, dtype):
        y = self.y.astype(dtype) if self.y.dtype.kind == "f" else self.y
        arrays = (a.astype(dtype) for a in (self.phi, self.x))
        return Point(self.loss, *arrays, y, self.v.astype(dtype))

    def task(self, t):
        one = slice(t, t + 1)
        return Point(self.loss, *(a[one] for a in (self.phi, self.x, self.y, self.v)))


def point(loss, num_tasks=2, num_examples=3, seed=0):
    """Draw φ not so near an initial θ, inputs, labels and a direction."""
    phi, x, y = random_point(loss, num_tasks, num_examples, seed)
    rng = np.random.default_rng(seed + 100)
    phi = phi + 0.2 * rng.normal(size=phi.shape)
    return Point(loss, phi, x, y, rng.normal(size=phi.shape))


def named(net="omniglot_cnn", outer=None, **sizes):
    return point(loss_of(COVERED[net], outer), **sizes)


def values(lin, v):
    """Return all that a linearisation has to say."""
    return {
        "outputs": lin.outputs,
        "value": lin.value,
        "grad": lin.grad,
        "hvp": lin.hvp(v),
        "gnvp": lin.gnvp(v),
        "accuracy": lin.accuracy(),
    }


def elsewhere(at, seed=7):
    """Return another φ."""
    return at.phi + 0.5 * np.random.default_rng(seed).normal(size=at.phi.shape)


def assert_same_values(got, want):
    for what, array in want.items():
        assert_array_equal(got[what], array, err_msg=what)
