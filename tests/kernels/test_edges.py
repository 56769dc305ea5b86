"""What the sweeps on a device take, and what takes another path."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.compute.backend import to_device
from imaml_ref.fused import plain_path
from imaml_ref.kernels import DeviceExamples
from imaml_ref.kernels.examples import KEPT
from tests.helpers.fused_points import loss_of, named, needs_fused, point
from tests.machines.kernel_machine import by_kernels, capturing_double

pytestmark = needs_fused


def on(at, **changes):
    """Return L of the examples of a point, one of θ, x and y perhaps changed."""
    given = {"theta": at.phi[0], "x": at.x, "y": at.y} | changes
    return at.loss.on(*given.values())


def test_examples_that_are_not_all_on_the_machine_take_another_path():
    at = named()
    with capturing_double():
        there = {k: to_device(a) for k, a in vars(at).items() if k != "loss"}
        theta = there["phi"][0]
        assert isinstance(at.loss.on(theta, there["x"], there["y"]), DeviceExamples)
        for here in ({"x": at.x}, {"y": at.y}):
            given = {"x": there["x"], "y": there["y"]} | here
            assert not isinstance(at.loss.on(theta, **given), DeviceExamples)


def test_no_tasks_and_no_examples_take_another_path():
    at = named()
    for none in (np.s_[:0], np.s_[:, :0]):
        found = by_kernels(lambda none=none: on(at, x=at.x[none], y=at.y[none]))
        assert not isinstance(found, DeviceExamples)


@pytest.mark.parametrize("dtype", ["f2", "c16"])
def test_a_dtype_that_no_kernel_knows_takes_another_path(dtype):
    at = named()
    theta, x = (a.astype(dtype) for a in (at.phi[0], at.x))
    found = by_kernels(lambda: on(at, theta=theta, x=x))
    assert not isinstance(found, DeviceExamples)


def test_the_sizes_that_were_used_last_are_kept():
    at = named()

    def kept():
        for n in (*range(1, KEPT + 1), 1, KEPT + 1):
            on(at, x=at.x.repeat(n, 1), y=at.y.repeat(n, 1))
        return [key[0][1] // at.x.shape[1] for key in at.loss._device._kept]

    assert by_kernels(kept) == [*range(3, KEPT + 1), 1, KEPT + 1]


DIRECTIONS = {
    "one task": lambda v: v[:1],
    "no axis of tasks": lambda v: v[0],
    "a parameter less": lambda v: v[:, :-1],
    "complex": lambda v: v + 1j * v,
    "single": lambda v: v.astype(np.float32),
}


@pytest.mark.parametrize("product", ["hvp", "gnvp"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_another_direction_is_what_it_is_on_the_plain_path(direction, product):
    at = named()
    v = DIRECTIONS[direction](at.v)
    got = outcome(lambda: by_kernels(lambda: getattr(at.linearize(), product)(v)))
    want = outcome(lambda: getattr(at.plain(), product)(v))
    assert type(got) is type(want), (got, want)
    if isinstance(want, np.ndarray):
        assert got.dtype == want.dtype
        assert digits(got, want) > 11
    else:
        assert str(got) == str(want)


def outcome(call):
    """Return what a call returns, or the error that it raises."""
    try:
        return call()
    except Exception as error:
        return error


def test_an_accuracy_is_float64_whatever_is_computed_in():
    at = named(num_examples=7).astype(np.float32)
    got, want = by_kernels(at.linearize).accuracy(), at.plain().accuracy()
    assert got.dtype == want.dtype == np.float64
    assert_array_equal(got, want)


def test_another_loss_or_a_subclass_of_the_known_one_takes_another_path():
    class Mine(ir.SoftmaxCrossEntropy):
        def grad(self, saved):
            return 2 * super().grad(saved)

    at = named(outer=Mine())
    assert not isinstance(by_kernels(lambda: on(at)), DeviceExamples)
    assert digits(by_kernels(at.linearize).grad, 2 * named().plain().grad) > 11


def test_a_network_of_ones_own_takes_another_path():
    class Mine(ir.Network):
        """What a user has made of it."""

    net = named().loss.net
    at = point(loss_of(Mine(net.layers, net.input_shape)))
    assert not isinstance(by_kernels(lambda: on(at)), DeviceExamples)


def test_a_gradient_at_another_dtype_is_refused_in_the_words_of_the_plain_path():
    at = named()
    with plain_path(), pytest.raises(TypeError) as want:
        on(at).gradient(at.phi.astype(np.float32))
    with pytest.raises(TypeError) as got:
        by_kernels(lambda: on(at).gradient(at.phi.astype(np.float32)))
    assert str(got.value) == str(want.value)


def test_a_stage_that_there_is_not_is_refused_before_it_is_entered():
    with pytest.raises(ValueError, match="a device stage is one of plain, kernels"):
        ir.device_stage("nonsense")
