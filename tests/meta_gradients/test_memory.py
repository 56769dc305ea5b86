"""Memory: flat in the inner steps for iMAML, growing by the iterates when unrolled."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from benchmarks.memory.run import calls, peak_bytes
from imaml_ref.meta_gradients import task_mean
from tests.helpers.problems import make_problem


@pytest.fixture(autouse=True)
def _one_thread():
    """So that what runs at the same time does not depend on the machine."""
    ir.set_num_threads(1)
    yield
    ir.set_num_threads(None)


@pytest.fixture
def problem():
    net = ir.architectures.mlp((30,), (200, 90), 4)  # P large, activations small
    problem = make_problem(net, ir.SoftmaxCrossEntropy(), lam=2.0, num_tasks=4)
    return problem.astype(np.float32)


def peaks(problem, name):
    return [
        peak_bytes(calls(problem.loss, problem.theta, problem.tasks, k)[name])
        for k in (1, 4, 64)
    ][1:]


def test_peaks_are_measured():
    assert_allclose(peak_bytes(lambda: np.ones(300_000)), 2.4e6, rtol=0.01)

    def two_after_another():
        np.ones(300_000)
        np.ones(200_000)

    assert_allclose(peak_bytes(two_after_another), 2.4e6, rtol=0.01)


@pytest.mark.parametrize("name", ["inner loop", "iMAML"])
def test_imaml_is_flat_in_the_number_of_inner_steps(problem, name):
    few, many = peaks(problem, name)
    assert_allclose(many, few, rtol=0.02)


def test_unrolled_grows_by_the_iterates(problem):
    few, many = peaks(problem, "unrolled")
    assert_allclose(many - few, 60 * 4 * problem.theta.nbytes, rtol=0.05)
    assert many > 2 * few


@pytest.mark.parametrize("inner", [ir.Momentum, ir.InnerAdam], ids=["momentum", "adam"])
def test_other_inner_loops_are_flat_too(problem, inner):
    def gradient(num_steps):
        return ir.implicit_gradient(
            problem.loss,
            problem.theta,
            problem.tasks,
            inner=inner(step_size=0.01, num_steps=num_steps),
        )

    gradient(1)
    few, many = (peak_bytes(lambda k=k: gradient(k)) for k in (4, 64))
    assert_allclose(many, few, rtol=0.02)


def test_memory_is_that_of_a_chunk_not_of_all_tasks(problem, monkeypatch):
    """Sixteen tasks in chunks of two need little more than four."""
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: 2)

    def gradient(times):
        batches = [problem.tasks] * times
        return ir.implicit_gradient(problem.loss, problem.theta, batches)

    gradient(1)
    four, sixteen = (peak_bytes(lambda t=t: gradient(t)) for t in (1, 4))
    assert_allclose(sixteen, four, rtol=0.02)
