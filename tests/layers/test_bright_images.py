"""Images far from zero, μ/σ = 10⁴, in float32: a layer loses as many digits as x has.

x itself is known to ε μ/σ of its spread, 6e-4 here, and so is all that follows from it;
the conditioning of a small network and sums over its rows make 30 times that of it.
Where a mean is off by its rounding and met by μ once more, it is ε (μ/σ)², above 1.
"""

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.fused import plain_path
from imaml_ref.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    ReLU,
    Softplus,
    SupportNorm2d,
    TaskNorm2d,
)
from tests.helpers.fused_points import needs_fused
from tests.machines.kernel_machine import by_kernels

T, SIZE, RATIO = 2, (9, 9, 2), 1e4
EXPECTED = 30 * np.finfo(np.float32).eps / 2 * RATIO


def task_loss(activation, norm=BatchNorm2d):
    layers = {
        "conv": Conv2d(2, 6),
        "norm": norm(6),
        "activation": activation(),
        "flatten": Flatten(),
        "head": Linear(7 * 7 * 6, 3),
    }
    return ir.TaskLoss(ir.Network(layers, SIZE), ir.SoftmaxCrossEntropy())


def relative_errors(loss, examples, way=lambda answers: answers(), labels=None):
    """Return those of outputs, gradient, H v and G v in float32, computed in a way."""
    rng = np.random.default_rng(1)
    phi = np.stack([loss.net.init(rng) for _ in range(T)]).astype(np.float32)
    v = rng.normal(size=phi.shape).astype(np.float32)
    x = (RATIO + rng.normal(size=(T, examples, *SIZE))).astype(np.float32)
    y = rng.integers(3, size=(T, labels or examples))
    with plain_path():
        want = answers(loss, phi.astype(float), v.astype(float), x.astype(float), y)
    got = way(lambda: answers(loss, phi, v, x, y))
    pairs = zip(got, want, strict=True)
    return [np.linalg.norm(got - true) / np.linalg.norm(true) for got, true in pairs]


def answers(loss, phi, v, x, y):
    lin = loss.linearize(phi, x, y)
    return lin.outputs, lin.grad, lin.hvp(v), lin.gnvp(v)


@pytest.mark.parametrize("examples", [5, 75])
def test_a_normalisation_loses_what_its_input_has_lost(examples):
    errors = relative_errors(task_loss(Softplus), examples)
    assert max(errors) < EXPECTED, errors


@pytest.mark.parametrize("norm", [SupportNorm2d, TaskNorm2d])
@pytest.mark.parametrize("queries", [False, True])
def test_so_do_those_that_ask_for_the_support_set(norm, queries):
    loss = task_loss(Softplus, norm)
    if queries:
        loss = ir.TaskLoss(loss.net.given(4), loss.loss)
    errors = relative_errors(loss, 9, labels=9 - 4 * queries)
    assert max(errors) < EXPECTED, errors


@needs_fused
def test_patches_that_are_data_are_centred_first_and_lose_nothing():
    errors = relative_errors(task_loss(ReLU), 5)
    assert max(errors) < 1e-5, errors


@needs_fused
@pytest.mark.parametrize("stage", ["graphs", "fused"])
@pytest.mark.parametrize("examples", [5, 75])
def test_so_they_are_on_a_device(examples, stage):
    with ir.device_stage(stage):
        errors = relative_errors(task_loss(ReLU), examples, by_kernels)
    assert max(errors) < 1e-5, errors
