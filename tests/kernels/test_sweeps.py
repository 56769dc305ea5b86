"""Sweeps made of kernels compute what the plain path does; here with their formulas."""

from importlib.util import module_from_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.checks import digits
from imaml_ref.fused import plain_path
from imaml_ref.kernels import (
    DeviceExamples,
    DeviceLinearization,
    device_stage,
    stage,
)
from imaml_ref.kernels.fused_block import FusedBlock
from imaml_ref.kernels.pieces import covers
from imaml_ref.kernels.stage import current_stage
from imaml_ref.layers import Flatten, Linear, MaxPool2d, ZeroPad2d
from imaml_ref.meta_gradients.objective import Examples
from imaml_ref.networks.linearization import Linearization
from imaml_ref.networks.losses import SquaredError
from tests.helpers.fused_nets import COVERED as FUSED
from tests.helpers.fused_nets import PADDED, STRIDED, UNCOVERED, block, chain
from tests.helpers.fused_points import loss_of, needs_fused, point, values
from tests.machines.kernel_machine import by_kernels
from tests.machines.kernel_points import spoken

pytestmark = needs_fused

COVERED = (
    "omniglot_cnn",
    "omniglot_cnn-7-filters",
    "omniglot_cnn-1-filter",
    "conv4",
    "one-block-flat",
    "two-blocks-flat",
    "pads-in-a-row",
    "pad-padding",
    "pad-nobody-meets",
    "pool-pad-block",
    "no-bias",
    "stride-2-1",
    "kernel-3-2",
    "gaps",
    "kernel-of-one",
    "wide-blocks",
    "pad-first",
)
ALL = FUSED | UNCOVERED
NETS = {name: ALL[name] for name in COVERED}
# The others have a layer that no kernel knows.
OTHERS = {name: net for name, net in ALL.items() if name not in NETS}
SIZES = [(2, 3), (1, 3), (5, 2), (2, 1), (1, 1)]


def named(name="omniglot_cnn", **sizes):
    return point(loss_of(NETS[name]), **sizes)


def digits_of_tasks(got, want):
    """Return the digits of each task's share, whatever it is a share of."""
    return [digits(g, w) for g, w in zip(got, want, strict=True)]


@pytest.mark.parametrize(("num_tasks", "num_examples"), SIZES)
@pytest.mark.parametrize("name", COVERED)
def test_all_they_say_is_what_the_plain_path_says(name, num_tasks, num_examples):
    at = named(name, num_tasks=num_tasks, num_examples=num_examples, seed=3)
    got, want = by_kernels(lambda: spoken(at)), values(at.plain(), at.v)
    for what, array in want.items():
        assert got[what].dtype == array.dtype
        assert got[what].shape == array.shape
        found = min(digits_of_tasks(got[what], array))
        assert found >= 11, f"{what}: {found:.1f} digits"


# Blocks that have a kernel of their own: of four channels, or eight, and not of six.
FUSED_BLOCKS = {
    "strided": chain(
        (9, 8, 2), *block(2, 8, **PADDED), *block(8, 12, **STRIDED), *block(12, 5),
        Flatten(),
    ),
    "pooled": chain(
        (9, 11, 1), *block(1, 4, **PADDED), MaxPool2d(), *block(4, 6, **PADDED),
        MaxPool2d(), *block(6, 3, kernel_size=(2, 2)), Flatten(), Linear(3, 4),
    ),
    "oblong": chain(
        (6, 9, 1),
        *block(1, 4, **PADDED),
        MaxPool2d((2, 3)),
        *block(4, 3, **PADDED),
        MaxPool2d((3, 2)),
        Flatten(),
    ),
    "padded": chain(
        (6, 5, 3), *block(3, 4), ZeroPad2d(3, 0),
        *block(4, 5, kernel_size=(3, 2), stride=(2, 1), padding=(0, 1)), Flatten(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("num_tasks", [1, 3])
@pytest.mark.parametrize("name", FUSED_BLOCKS)
def test_fused_blocks_say_what_the_plain_path_says(name, num_tasks):
    at = point(loss_of(FUSED_BLOCKS[name]), num_tasks=num_tasks)

    def fused():
        with device_stage("fused"):
            lin = at.linearize()
            kinds = [type(b) for _, b in lin.examples.sweeps.chain]
            return values(lin, at.v), kinds

    (got, kinds), want = by_kernels(fused), values(at.plain(), at.v)
    assert kinds.count(FusedBlock) == (2 if name == "strided" else 1)
    for what, array in want.items():
        assert min(digits_of_tasks(got[what], array)) >= 11, what


@pytest.mark.parametrize("name", ["omniglot_cnn", "conv4"])
def test_float32_is_near_the_plain_path(name):
    at = named(name, num_tasks=30, num_examples=5, seed=1).astype(np.float32)
    got, want = by_kernels(lambda: spoken(at)), values(at.plain(), at.v)
    for what in ("outputs", "value", "grad", "hvp", "gnvp"):
        assert got[what].dtype == np.float32
        found = np.array(digits_of_tasks(got[what], want[what]))
        assert np.median(found) >= 5, what
        assert (found >= 4).mean() >= 0.9, what


@pytest.mark.parametrize("name", COVERED)
def test_the_gradient_and_the_value_alone_are_those_of_the_linearisation(name):
    at = named(name)

    def alone():
        examples = at.loss.on(at.phi[0], at.x, at.y)
        assert isinstance(examples, DeviceExamples)
        lin = examples.linearize(at.phi)
        assert_array_equal(examples.gradient(at.phi), lin.grad)
        assert_array_equal(examples.value(at.phi), lin.value)
        assert_array_equal(at.loss.value(at.phi, at.x, at.y), lin.value)

    by_kernels(alone)


def test_a_bias_before_a_normalisation_has_no_derivative():
    at = named("omniglot_cnn")
    said = by_kernels(lambda: spoken(at))
    for what in ("grad", "hvp", "gnvp"):
        for name, array in at.loss.net.layout.unpack(said[what]).items():
            if name.startswith("conv") and name.endswith("bias"):
                assert not array.any()


@pytest.mark.parametrize("other", OTHERS)
def test_other_networks_take_another_path(other):
    at = point(loss_of(OTHERS[other]))
    assert not covers(OTHERS[other])
    examples = by_kernels(lambda: at.loss.on(at.phi[0], at.x, at.y))
    assert not isinstance(examples, DeviceExamples)


def test_another_loss_takes_another_path():
    at = point(loss_of(NETS["conv4"], SquaredError()))
    examples = by_kernels(lambda: at.loss.on(at.phi[0], at.x, at.y))
    assert not isinstance(examples, DeviceExamples)


def test_the_plain_path_is_taken_where_it_is_asked_for():
    at = named()

    def asked():
        with plain_path():
            assert type(at.linearize()) is Linearization
            assert type(at.loss.on(at.phi[0], at.x, at.y)) is Examples
        with device_stage("plain"):
            assert not isinstance(at.linearize(), DeviceLinearization)
        assert isinstance(at.linearize(), DeviceLinearization)

    by_kernels(asked)
    assert not isinstance(at.linearize(), DeviceLinearization)


def test_there_is_no_other_stage():
    before = current_stage()
    with pytest.raises(ValueError, match="one of plain, .* got 'fast'"):  # noqa: RUF043
        device_stage("fast").__enter__()
    assert current_stage() == before


@pytest.mark.parametrize(
    ("asked", "found"),
    [("kernels", "kernels"), ("", "graphs"), ("fast", None)],
)
def test_a_stage_may_be_asked_for_in_the_environment(asked, found, monkeypatch):
    """Read once, when the package is imported."""
    monkeypatch.setenv("IMAML_REF_DEVICE_STAGE", asked)
    anew = module_from_spec(stage.__spec__)
    stage.__spec__.loader.exec_module(anew)
    if found:
        assert anew.current_stage() == stage.STAGES[found]
    else:
        with pytest.raises(ValueError, match="one of plain"):
            anew.current_stage()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda at: at.loss.linearize(at.phi, at.x, at.y + 0.5), TypeError),
        (lambda at: at.loss.linearize(at.phi, at.x, at.y[:, :1]), ValueError),
        (lambda at: at.loss.linearize(at.phi, at.x[..., :1, :], at.y), ValueError),
        (lambda at: at.loss.linearize(at.phi, at.x.astype("f4"), at.y), TypeError),
        (lambda at: at.loss.linearize(at.phi[:1], at.x, at.y), ValueError),
    ],
    ids=["labels", "few labels", "width", "dtype", "tasks"],
)
def test_what_does_not_fit_is_refused_in_the_words_of_the_plain_path(change, error):
    at = named()
    with plain_path(), pytest.raises(error) as want:
        change(at)
    with pytest.raises(error) as got:
        by_kernels(lambda: change(at))
    assert str(got.value) == str(want.value)


def test_a_label_that_is_no_class_is_not_computed_with():
    at = named()
    at.y[1, 0] = 99
    lin = by_kernels(at.linearize)
    assert np.isnan(lin.value[1])
    assert np.isnan(lin.grad[1]).any()
    assert np.isfinite(lin.grad[0]).all()


def test_labels_may_be_small_integers():
    at = named()
    small = by_kernels(lambda: at.loss.linearize(at.phi, at.x, at.y.astype(np.uint8)))
    assert_array_equal(small.grad, by_kernels(at.linearize).grad)
