"""Graphs of a meta-step: what is recorded, how often, and what the host waits for.

The device is a double; the launches are counted, no clock is looked at.
"""

import gc
from contextlib import nullcontext

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.compute.readings import settle, waiting
from imaml_ref.kernels import device_stage
from imaml_ref.kernels.graphs import cuda_of
from imaml_ref.kernels.stage import STAGES, machine_of
from tests.helpers.fused_points import needs_fused
from tests.machines.double import Device, device_double
from tests.machines.double.array import ndarray
from tests.machines.double.device import Buffer
from tests.machines.kernel_machine import Stream, capturing_double
from tests.machines.kernel_points import NETS, Problem, assert_alike, moved, problem

pytestmark = needs_fused


@pytest.fixture
def device():
    with capturing_double() as device:
        yield device


def fetched(found):
    """Return a meta-gradient with its arrays on the host."""
    arrays = {
        name: getattr(found, name).get() for name in ("grad", "phi", "task_grads")
    }
    return type(found)(arrays.pop("grad"), found.lam_grad, found.diagnostics, **arrays)


@pytest.mark.parametrize("name", NETS)
def test_a_meta_step_on_the_device_is_that_of_the_host(device, name):
    at = problem(name)
    on_device = moved(at)
    want = at.plain()
    first, *others = [fetched(on_device.gradient()) for _ in range(3)]
    assert_alike(first, want, 11)
    # The first runs launch by launch; the others are replayed.
    for other in others:
        assert_array_equal(other.task_grads, first.task_grads)
        assert_array_equal(other.phi, first.phi)
        assert other.lam_grad == first.lam_grad


def test_a_graph_for_a_step_one_for_cg_and_one_for_the_gradients_is_all(device):
    at = moved(problem(shots=2))  # as many queries: all examples share their arrays
    for _ in range(3):
        at.gradient()
    # Patches of the images, the inner step, ∇Q or ∇L at φ, and the step of CG.
    assert len(device.graphs) == 4


CHANGES = {
    "inner steps": {"steps": 20},
    "no inner steps": {"steps": 0},
    "step size": {"inner": ir.GradientDescent(0.03, 6)},
    "λ": {"lam": 0.7},
    "damping": {"damping": 0.3},
    "CG steps": {"solver": ir.CG(maxiter=11)},
    "tolerance": {"solver": ir.CG(maxiter=11, rtol=1e-2)},
}


def test_nothing_is_recorded_again_when_a_number_changes(device):
    host = problem(shots=2)
    at = moved(host)
    for _ in range(3):
        at.gradient()
    before = len(device.graphs)
    for name, change in CHANGES.items():
        # Eleven steps of CG make something of rounding.
        assert_alike(fetched(at.gradient(**change)), host.plain(**change), 10)
        assert len(device.graphs) == before, name


def test_nothing_is_recorded_again_for_other_tasks_and_another_theta(device):
    at = moved(problem(shots=2))
    for _ in range(3):
        at.gradient()
    before = len(device.graphs)
    other = problem(shots=2, seed=9)
    other = Problem(at.loss, other.theta, other.tasks)
    assert_alike(fetched(moved(other).gradient()), other.plain(), 11)
    assert len(device.graphs) == before


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_does_what_its_name_says(device, name):
    at = moved(problem("3-way", num_tasks=2, shots=2).astype(np.float32))
    with device_stage(name):
        few = {"steps": 2, "solver": ir.CG(maxiter=2)}
        first, _, last = [at.gradient(**few).task_grads.get() for _ in range(3)]
    assert_array_equal(first, last)
    kernels = device.launcher(np.dtype(np.float32)).known
    if name == "plain":
        assert not kernels
        return
    assert len(device.graphs) == (0 if name == "kernels" else 4)
    way, _, products = name.partition("-")
    ending = f"_{products}" if products else ""
    products = {name for name in kernels if name.startswith("bmm")}
    assert products == {f"bmm{ending}", f"bmm_pair{ending}"}
    assert (f"conv_vjp_dot{ending}" in kernels) == (way == "fused")


def test_a_graph_recorded_before_is_left_alone_at_the_stage_of_kernels(device):
    at = moved(problem())
    launcher = device.launcher(np.dtype(np.float64))
    counts = []
    for name in ("graphs", "graphs", "graphs", "kernels", "graphs"):
        with device_stage(name):
            at.gradient()
        counts.append(launcher.launches)
    _, replayed, one_by_one, again = np.diff(counts)
    assert replayed == again == 2  # where CG begins
    assert one_by_one > 300


# What the host waits for.


@pytest.fixture
def warm(device):
    """Return a problem on the device, φ, and examples whose graphs are recorded."""
    at = moved(problem())
    for _ in range(3):
        at.gradient(steps=2, solver=ir.CG(maxiter=2))
    examples = at.loss.on(at.theta, at.tasks.support_x, at.tasks.support_y)
    phi = to_device(np.tile(at.theta.get(), (len(at.tasks), 1)))
    return at, phi, examples


def test_the_inner_loop_waits_for_nothing(device, warm):
    at, phi, examples = warm
    with device.no_sync():
        examples.descend(phi, at.theta, 2.0, 0.1, 30)


@pytest.mark.parametrize("conduct", ["continue", "truncate", "refuse"])
def test_cg_waits_for_nothing(device, warm, conduct):
    _, phi, examples = warm
    solver = ir.CG(maxiter=9, on_negative_curvature=conduct)
    with device.no_sync(), waiting() as readings:
        lin = examples.linearize(phi)
        lin.examples.solve(lin, solver, "hvp", lin.grad, 2.0)
    settle(readings)


def test_a_meta_step_whose_readings_wait_waits_for_nothing(device, warm):
    at, _, _ = warm
    algorithm = ir.IMAML(at.loss)
    with device.no_sync(), waiting() as readings:
        found = algorithm(at.theta, at.tasks)
    before = device.waits
    settle(readings)
    assert device.waits == before + 1
    assert_array_equal(found.grad.get(), algorithm(at.theta, at.tasks).grad.get())


def test_products_and_values_wait_for_nothing(device, warm):
    at, phi, examples = warm
    with device.no_sync(), waiting():
        lin = examples.linearize(phi)
        for curvature in (lin.hvp, lin.gnvp):
            curvature(phi)
        lin.accuracy()
        examples.gradient(phi)
        at.loss.value(phi, at.tasks.query_x, at.tasks.query_y)


@pytest.mark.parametrize("half", ["support", "query"])
def test_a_label_that_is_no_class_is_an_error_when_readings_are_settled(device, half):
    at = problem(num_tasks=2)
    getattr(at.tasks, f"{half}_y")[1, 2] = 7
    at = moved(at)
    with device.no_sync(), waiting() as readings:
        ir.IMAML(at.loss)(at.theta, at.tasks)
    with pytest.raises(ValueError, match=r"from 0 to 4, .* got 0 to 7"):
        settle(readings)


def test_arrays_of_a_device_know_what_runs_on_it():
    assert cuda_of(np.ones(2)) is None
    with device_double():
        a = to_device(np.ones(2))
        cuda = cuda_of(a)
        assert cuda.has(a)
        assert not cuda.has(np.ones(2))
        assert machine_of(a) is cuda_of(a + a) is cuda
        launcher = cuda.launcher(np.dtype("f4"))
        assert launcher is cuda.launcher(np.dtype("f4"))
        assert launcher.dtype == np.float32


def test_arrays_of_two_devices_are_not_taken_for_one_anothers():
    with device_double():
        here, there = (
            ndarray(np.ones(2), Buffer(device, 16)) for device in (Device(), Device(1))
        )
        assert cuda_of(here) is not cuda_of(there)


# What is recorded.


def test_what_is_recorded_does_not_run_until_it_is_replayed(device, warm):
    _, phi, examples = warm
    sweeps = examples.sweeps
    kept = sweeps.z.get()
    sweeps.phi[...] = 2 * phi
    recorded = sweeps.space.record(sweeps.forward.launch)
    assert_array_equal(sweeps.z.get(), kept)
    recorded()
    assert (sweeps.z.get() != kept).any()


def test_what_is_aside_must_join(warm):
    _, _, examples = warm
    vjp = examples.sweeps.vjp

    def unjoined(branch):
        with branch.aside():
            vjp.launch()

    with pytest.raises(AssertionError, match="has not joined"):
        examples.sweeps.space.record(unjoined)


@pytest.mark.parametrize("fails", [False, True])
def test_no_garbage_is_collected_in_a_recording(warm, fails):
    _, _, examples = warm
    seen = []

    def run(branch):
        seen.append(gc.isenabled())
        examples.sweeps.forward.launch(branch)
        if fails:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        examples.sweeps.space.record(run)
    assert seen == [False]
    assert gc.isenabled()


def test_a_recording_that_fails_is_ended(device, warm):
    _, phi, examples = warm

    def asks(branch):
        examples.sweeps.gradient.launch(branch)
        phi.get()

    with pytest.raises(RuntimeError, match="the host waits"):
        examples.sweeps.space.record(asks)
    with pytest.raises(MemoryError):
        examples.sweeps.space.record(lambda branch: phi + 1)
    assert not Stream.current
    assert np.isfinite(examples.gradient(phi).get()).all()
