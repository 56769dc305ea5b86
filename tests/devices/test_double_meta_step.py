"""The meta-step on the double of a device: NumPy's bits, no waiting, flat memory."""

import gc
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import array_module
from imaml_ref.compute.readings import settle, value_of, waiting
from tests.helpers.algorithms import NETS, QUIET, WAITING
from tests.helpers.problems import curved
from tests.machines.double import WaitedForDevice, device_double
from tests.machines.on_double import on_device


@pytest.fixture
def device():
    with ir.plain_path(), device_double() as device:
        yield device


def assert_same_bits(got, want):
    """Compare a meta-gradient on the device with one on the host."""
    for name in ("grad", "lam_grad", "phi", "task_grads"):
        theirs = getattr(got, name)
        theirs = theirs.get() if hasattr(theirs, "get") else theirs
        assert_array_equal(theirs, getattr(want, name), err_msg=name)
    for name, value in vars(want.diagnostics).items():
        assert_array_equal(getattr(got.diagnostics, name), value, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETS)
def test_imaml_has_the_bits_of_numpy_in_one_copy(name, dtype, device):
    problem = NETS[name].astype(dtype)
    algorithm = QUIET["imaml"](problem)
    theta, tasks = on_device(problem)
    before = device.waits
    got = algorithm(theta, tasks)
    assert device.waits == before + 1
    assert_same_bits(got, algorithm(problem.theta, problem.tasks))


@pytest.mark.parametrize("name", QUIET)
def test_nobody_waits_for_the_device_until_somebody_looks(name, device):
    problem = NETS["pooled"].astype(np.float32)
    algorithm = QUIET[name](problem)
    theta, tasks = on_device(problem)
    with waiting() as readings, device.no_sync():
        out = algorithm(theta, tasks)
    settle(readings)
    read = {n: value_of(getattr(out, n)) for n in ("lam_grad", "diagnostics")}
    assert_same_bits(
        ir.MetaGradient(out.grad, **read), algorithm(problem.theta, problem.tasks)
    )


@pytest.mark.parametrize("name", WAITING)
def test_what_asks_the_device_has_the_bits_of_numpy_too(name, device):
    problem = curved()
    algorithm = WAITING[name](problem)
    assert_same_bits(
        algorithm(*on_device(problem)), algorithm(problem.theta, problem.tasks)
    )


def test_what_is_kept_stays_on_the_device(device):
    problem = curved()
    keep = ("phi", "task_grads")
    got = ir.implicit_gradient(problem.loss, *on_device(problem), keep=keep)
    assert array_module(got.phi, got.task_grads) is not np
    want = ir.implicit_gradient(problem.loss, problem.theta, problem.tasks, keep=keep)
    assert_same_bits(got, want)


def test_a_list_of_batches_is_one_mean(device):
    problem = curved()
    theta, tasks = on_device(problem)
    got = QUIET["imaml"](problem)(theta, [tasks[:1], tasks[1:]])
    want = QUIET["imaml"](problem)(problem.theta, problem.tasks)
    # The sums of the batches are added, which rounds otherwise than one sum.
    assert_allclose(got.grad.get(), want.grad, rtol=1e-13, atol=1e-16)
    assert_array_equal(got.diagnostics.query_loss, want.diagnostics.query_loss)


@dataclass(frozen=True)
class Quiet:
    """A solver or an inner optimiser for which the host must not wait."""

    wrapped: Any
    device: Any
    name: str = "quiet"

    def solve(self, *args, **kwargs):
        with self.device.no_sync():
            return self.wrapped.solve(*args, **kwargs)


def test_with_a_lambda_per_parameter_neither_loop_waits(device):
    problem = curved().per_parameter()
    with waiting() as readings:
        ir.implicit_gradient(
            problem.loss,
            *on_device(problem),
            lam=problem.lam,
            inner=Quiet(problem.descent(3), device),
            solver=Quiet(ir.CG(), device),
        )
    settle(readings)


class Asking(ir.GradientDescent):
    """Looks at ‖∇G‖ in every step."""

    def iterates(self, objective, theta, start=None):
        for phi in super().iterates(objective, theta, start):
            assert float((phi * phi).sum()) >= 0
            yield phi


def test_a_loop_that_asks_is_caught(device):
    problem = curved()
    with waiting(), pytest.raises(WaitedForDevice, match="float"):
        ir.IMAML(problem.loss, 2.0, Quiet(Asking(0.1, 3), device))(*on_device(problem))


def peak_of(device, run):
    """Return the most bytes that a computation takes beyond what is there."""
    gc.collect()
    with device.watch() as watch:
        run()
    return watch.bytes


def test_memory_does_not_grow_with_the_inner_steps(device):
    problem = NETS["pooled"].astype(np.float32)
    theta, tasks = on_device(problem)

    def peak(num_steps):
        algorithm = ir.IMAML(problem.loss, 0.6, ir.GradientDescent(1e-3, num_steps))
        return peak_of(device, lambda: algorithm(theta, tasks))

    # A step leaves one array behind, the norms (T,) of ∇G: 512 bytes at least.
    norms = (64 - 4) * 512
    few, many = peak(4), peak(64)
    assert few <= many <= few + norms
    assert norms < theta.nbytes * len(tasks) * (64 - 4) / 2


def test_memory_does_not_grow_from_step_to_step(device):
    problem = NETS["pooled"].astype(np.float32)
    theta, tasks = on_device(problem)
    algorithm = QUIET["imaml"](problem)

    def leave():
        _ = algorithm(theta, tasks)
        gc.collect()
        return device.live

    assert leave() == leave() == leave()
