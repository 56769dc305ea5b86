"""Optimisers of θ against their recursions, one coordinate at a time."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir

THETA = np.array([0.5, -2.0, 3.0, 0.0])
GRADS = np.random.default_rng(0).normal(size=(7, 4)) * [1e-3, 1, 50, 0.2]


def run(optimizer, theta, grads):
    state = optimizer.init(theta)
    for grad in grads:
        theta, state = optimizer.step(theta, grad, state)
    return theta, state


def test_sgd_steps_against_the_gradient():
    theta, state = run(ir.SGD(step_size=0.25), THETA, GRADS)
    assert_allclose(theta, THETA - 0.25 * GRADS.sum(0), rtol=1e-13)
    assert state == {}
    assert ir.SGD().step_size == 0.01


@pytest.mark.parametrize(
    ("step_size", "beta1", "beta2", "eps", "half_life"),
    [
        (1e-3, 0.9, 0.999, 1e-8, math.inf),
        (0.2, 0.5, 0.8, 1e-3, 3.0),
        (0.1, 0.0, 0.99, 1.0, 0.7),
    ],
)
def test_adam_is_algorithm_1_of_kingma_and_ba(step_size, beta1, beta2, eps, half_life):
    optimizer = ir.Adam(step_size, beta1, beta2, eps, half_life)
    got, state = run(optimizer, THETA, GRADS)
    for i, theta in enumerate(THETA.tolist()):
        m = v = 0.0
        for k, g in enumerate(GRADS[:, i].tolist(), 1):
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            m_hat, v_hat = m / (1 - beta1**k), v / (1 - beta2**k)
            alpha = step_size * math.exp(-math.log(2) * (k - 1) / half_life)
            theta -= alpha * m_hat / (math.sqrt(v_hat) + eps)
        assert_allclose(got[i], theta, rtol=1e-12)
        assert_allclose(state["m"][i], m, rtol=1e-12)
        assert_allclose(state["s"][i], v, rtol=1e-12)
    assert state["k"] == 7


def test_adams_defaults_are_the_usual_ones():
    usual = ir.Adam(step_size=1e-3, beta1=0.9, beta2=0.999, eps=1e-8)
    assert ir.Adam() == usual
    assert usual.half_life == math.inf


def test_the_first_step_of_adam_has_the_step_size_in_each_coordinate():
    theta, _ = run(ir.Adam(0.1), THETA, GRADS[:1])
    assert_allclose(theta, THETA - 0.1 * np.sign(GRADS[0]), rtol=1e-4)


@pytest.mark.parametrize("optimizer", [ir.SGD(), ir.Adam()])
def test_float32_stays_float32(optimizer):
    theta, state = run(optimizer, THETA.astype(np.float32), GRADS.astype(np.float32))
    assert theta.dtype == np.float32
    assert {state[n].dtype for n in state if n != "k"} <= {np.dtype(np.float32)}
    exact, _ = run(optimizer, THETA, GRADS)
    assert_allclose(theta, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", [ir.SGD(), ir.Adam()])
def test_steps_are_pure_functions(optimizer):
    """Arguments stay as they are; a run split in two ends at the same bits."""
    theta, state = run(optimizer, THETA, GRADS[:3])
    kept = theta.copy(), {n: np.copy(a) for n, a in state.items()}, GRADS.copy()
    first = optimizer.step(theta, GRADS[3], state)
    again = optimizer.step(*kept[:1], GRADS[3], kept[1])
    assert_array_equal(first[0], again[0])
    assert_array_equal(theta, kept[0])
    assert_array_equal(GRADS, kept[2])
    for name, array in state.items():
        assert_array_equal(array, kept[1][name])
        assert hasattr(array, "dtype")  # so that it can be written to a file
    for grad in GRADS[3:]:
        theta, state = optimizer.step(theta, grad, state)
    whole, _ = run(optimizer, THETA, GRADS)
    assert_array_equal(theta, whole)


def test_adam_steps_every_row_of_a_batch_alone():
    """The inner Adam is this one on (T, P)."""
    theta = np.stack([THETA, 2 * THETA + 1])
    grads = np.stack([GRADS, -3 * GRADS[::-1]], axis=1)
    together, _ = run(ir.Adam(0.1), theta, grads)
    for t in range(2):
        alone, _ = run(ir.Adam(0.1), theta[t], grads[:, t])
        assert_array_equal(together[t], alone)
