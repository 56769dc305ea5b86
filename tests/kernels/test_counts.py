"""What a meta-step by kernels costs, counted: launches, and bytes on the device.

The numbers are those of now; whoever needs fewer lowers them.
"""

import gc

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.kernels import DeviceLinearization
from imaml_ref.kernels.space import Space
from imaml_ref.kernels.stage import machine_of
from imaml_ref.kernels.sweeps import Sweeps
from tests.helpers.fused_nets import COVERED
from tests.helpers.fused_points import needs_fused
from tests.machines.kernel_machine import FORMULAS, capturing_double, chain_length
from tests.machines.kernel_points import Problem, moved, problem

pytestmark = needs_fused


@pytest.fixture
def device():
    with capturing_double() as device:
        yield device


@pytest.fixture(scope="module")
def programs():
    """Return sweeps of the released code's net, 5-way 1-shot."""
    with capturing_double():
        at = moved(problem(num_tasks=1))
        net = ir.architectures.omniglot_cnn(5)
        machine = machine_of(at.theta)
        space = Space(machine, np.dtype(np.float32))
        yield Sweeps(net, (1, 5, 28, 28, 1), space)


COUNTS = {
    # Four blocks of patches (but the first), product, normalisation; the linear layer
    # and its bias; the loss.
    "forward": 14,
    # A block: the normalisation, two products, the adjoint of patches; of the first
    # only half.  The linear layer: two products, the sum of rows.
    "vjp": 17,
    "gradient": 31,
    # As forward, with pairs of products; as vjp, likewise.
    "hvp": 14 + 17,
    "gnvp": 14 + 17,
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_sweep_makes_as_many_launches_as_it_did(programs, name):
    assert len(getattr(programs, name).names) == COUNTS[name]


def test_a_step_adds_one_launch_and_a_step_of_cg_three(programs):
    descent = programs.descent((programs.phi.shape[1],), ())
    assert len(descent.step.names) == COUNTS["gradient"] + 1
    step = programs.krylov.step("hvp", "continue", ())
    assert len(step.names) == COUNTS["hvp"] + 3


def test_cotangents_of_kernels_are_nobodys_business_but_the_steps(programs):
    for name, shorter in (("gradient", 5), ("hvp", 5), ("forward", 0)):
        program = getattr(programs, name)
        program.launch()
        waits_for = program.graph.__self__.recording.waits_for
        assert chain_length(waits_for) == len(program.names) - shorter


def test_fused_blocks_make_fewer_launches(programs):
    space, shape = programs.space, programs.x.shape
    fused = Sweeps(programs.net, shape, space, fused=True)
    # Patches and normalisation of three blocks are no launches of their own.
    for name, fewer in (("forward", 6), ("vjp", 0), ("gradient", 6), ("hvp", 6)):
        assert len(getattr(fused, name).names) == COUNTS[name] - fewer


# Memory, by the count of the device.


def paper(num_tasks=2):
    """Return the released code's net on images of noise, float32."""
    rng = np.random.default_rng(0)
    loss = ir.TaskLoss(ir.architectures.omniglot_cnn(5), ir.SoftmaxCrossEntropy())
    x = rng.uniform(size=(2, num_tasks, 5, 28, 28, 1)).astype(np.float32)
    y = np.tile(np.arange(5), (num_tasks, 1))
    theta = loss.net.init(rng, dtype=np.float32)
    return Problem(loss, theta, ir.TaskBatch(x[0], y, x[1], y))


def peak(device, call):
    gc.collect()
    with device.watch() as watch:
        call()
    return watch.bytes


def test_memory_does_not_grow_with_the_inner_steps(device):
    at = moved(problem(shots=2))
    at.gradient(steps=3)
    few, many = (peak(device, lambda k=k: at.gradient(steps=k)) for k in (16, 256))
    # Their norms are kept, a number for each step and task.
    assert many - few <= 4 * 256 * len(at.tasks) * 8


def test_a_meta_step_takes_no_more_than_three_times_what_a_gradient_takes(device):
    at = moved(paper())
    t = at.tasks

    def gradient():
        phi = to_device(np.tile(at.theta.get(), (2, 1)))
        at.loss.on(at.theta, t.support_x, t.support_y).gradient(phi)

    def step():
        inner, solver = ir.GradientDescent(0.1, 2), ir.CG(maxiter=2)
        ir.implicit_gradient(at.loss, at.theta, t, inner=inner, solver=solver)

    one = peak(device, gradient)
    del at.loss.__dict__["_device"]
    whole = peak(device, step)
    assert whole <= 3 * one, whole / one


def test_images_that_are_data_have_no_cotangent():
    space = Space(FORMULAS, np.dtype(np.float32))
    sweeps = Sweeps(COVERED["one-block-flat"], (1, 2, 4, 5, 2), space)
    assert len(sweeps.vjp.names) == 2
    assert space.scratch((0,)).base.size == 0


def test_what_has_been_linearised_is_not_kept_by_the_sweeps(device):
    at = moved(problem())
    examples = at.loss.on(at.theta, at.tasks.support_x, at.tasks.support_y)
    phi = to_device(np.tile(at.theta.get(), (len(at.tasks), 1)))
    examples.linearize(phi)
    gc.collect()
    before = device.live
    assert isinstance(examples.linearize(phi), DeviceLinearization)
    gc.collect()
    assert device.live <= before
