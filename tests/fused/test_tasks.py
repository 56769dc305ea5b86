"""Tasks do not know of one another, nor of threads."""

from importlib.util import module_from_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.fused import examples, is_plain, path, plain_path
from imaml_ref.meta_gradients.objective import TaskLoss
from tests.helpers.fused_nets import COVERED
from tests.helpers.fused_points import named, needs_fused, values

pytestmark = needs_fused


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("net", COVERED)
def test_a_task_has_the_same_bits_alone_and_among_others(net, dtype):
    at = named(net, num_tasks=4).astype(dtype)
    together = values(at.linearize(), at.v)
    gradient = at.examples().gradient(at.phi)
    for t in range(4):
        one = at.task(t)
        alone = values(one.linearize(), one.v)
        for what, array in together.items():
            assert_array_equal(alone[what], array[t : t + 1], err_msg=what)
        assert_array_equal(one.examples().gradient(one.phi), gradient[t : t + 1])


def meta_gradient(loss, theta, tasks):
    algorithm = ir.IMAML(loss, inner=ir.GradientDescent(0.1, 3), solver=ir.CG(2))
    return algorithm(theta, tasks).grad


def meta_problem(net="two-blocks-flat"):
    at = named(net, num_tasks=5)
    return at.loss, at.phi[0], ir.TaskBatch(at.x, at.y, at.x[::-1], at.y[::-1])


def test_a_meta_gradient_has_the_same_bits_for_any_number_of_threads():
    loss, theta, tasks = meta_problem()
    found = []
    try:
        for threads in (1, 2, 3):
            ir.set_num_threads(threads)
            found.append(meta_gradient(loss, theta, tasks))
    finally:
        ir.set_num_threads(None)
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])
    chunks = [meta_gradient(loss, theta, [tasks[:2], tasks[2:]])]
    assert_array_equal(found[0], chunks[0])


@pytest.mark.parametrize("threads", [1, 3])
def test_the_plain_path_reaches_the_threads_of_the_pool(threads, monkeypatch):
    loss, theta, tasks = meta_problem()
    ir.set_num_threads(threads)
    try:
        want = meta_gradient(loss, theta, tasks)
        monkeypatch.setattr(examples.FusedExamples, "__init__", refuse)
        with pytest.raises(AssertionError, match="fused"):
            meta_gradient(TaskLoss(loss.net, loss.loss), theta, tasks)
        with plain_path():
            plain_grad = meta_gradient(loss, theta, tasks)
    finally:
        ir.set_num_threads(None)
    assert digits(plain_grad, want) > 11


def refuse(*arguments):
    raise AssertionError("fused")


def test_what_the_environment_asks_for(monkeypatch):
    """Read once, when the package is imported."""
    assert is_plain is path.is_plain
    for value, expected in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("IMAML_REF_PLAIN", value)
        anew = module_from_spec(path.__spec__)
        path.__spec__.loader.exec_module(anew)
        assert anew.is_plain() is expected
