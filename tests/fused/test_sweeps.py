"""The fused path computes what the plain path does, and what witnesses say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.checks import check_network, digits
from imaml_ref.compute.backend import to_device
from imaml_ref.fused import (
    FusedExamples,
    FusedLinearization,
    FusedNetwork,
    covers,
    is_plain,
    plain_path,
)
from imaml_ref.kernels import device_stage
from imaml_ref.layers import Flatten, Linear
from imaml_ref.networks import Examples
from imaml_ref.networks.linearization import Linearization
from imaml_ref.networks.losses import SquaredError
from tests.helpers.fused_nets import COVERED, UNCOVERED, block, chain
from tests.helpers.fused_points import loss_of, named, needs_fused, point, values
from tests.machines.double import device_double

pytestmark = needs_fused

# Plain cancels a bias in the mean, so that b̄ is noise there and zero here: tensors are
# compared as a whole.
ALIKE = {"float64": 11.0, "float32": 4.0}


@pytest.fixture(params=COVERED)
def name(request):
    return request.param


def compare(at, digits_wanted, reference=None):
    got, want = at.linearize(), (reference or at).plain()
    assert isinstance(got, FusedLinearization)
    assert not isinstance(want, FusedLinearization)
    v = (reference or at).v
    got, want = values(got, at.v), values(want, v)
    for what, array in want.items():
        if array is None:
            assert got[what] is None
            continue
        assert got[what].dtype == at.phi.dtype or what == "accuracy"
        found = digits(got[what], array)
        assert found >= digits_wanted, f"{what}: {found:.1f} digits"


@pytest.mark.parametrize("outer", [None, SquaredError()], ids=["entropy", "squared"])
def test_all_it_says_is_what_the_plain_path_says(name, outer):
    compare(named(name, outer), ALIKE["float64"])


@pytest.mark.parametrize(
    ("num_tasks", "num_examples"), [(1, 3), (5, 2), (2, 1), (1, 1)]
)
def test_so_it_is_for_any_number_of_tasks_and_examples(name, num_tasks, num_examples):
    if num_examples == 1 and COVERED[name].num_outputs < 2:
        pytest.skip("nothing to tell apart")
    at = named(name, num_tasks=num_tasks, num_examples=num_examples, seed=3)
    compare(at, ALIKE["float64"])


def test_float32_is_near_the_plain_path_in_float64(name):
    at = named(name, num_examples=4, seed=1)
    compare(at.astype(np.float32), ALIKE["float32"], at)


def test_gradient_and_products_agree_with_witnesses(name):
    """The complex step takes the plain path; differences take values alone."""
    check_network(loss_of(COVERED[name]), num_examples=4)


def test_the_gradient_alone_has_the_bits_of_the_linearisation(name):
    at = named(name)
    examples = at.examples()
    gradient = examples.gradient(at.phi)
    assert_array_equal(gradient, examples.linearize(at.phi).grad)
    assert_array_equal(gradient, examples.gradient(at.phi))


def test_a_bias_before_a_normalisation_has_no_derivative():
    at = named("omniglot_cnn")
    layout, lin = at.loss.net.layout, at.linearize()
    for product in (lin.grad, lin.hvp(at.v), lin.gnvp(at.v)):
        for block_name, array in layout.unpack(product).items():
            if block_name.startswith("conv") and block_name.endswith("bias"):
                assert not array.any()


def test_inputs_far_from_zero_lose_no_more_digits_than_on_the_plain_path():
    at = named("omniglot_cnn")
    far = at.astype(np.float64)
    far.x[...] += 1e4
    compare(far, 9.0)


LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


@pytest.mark.parametrize(("dtype", "required"), [(np.float64, 12.5), (np.float32, 4)])
def test_edges_in_smooth_images_lose_few_digits(dtype, required):
    """Their variance is a millionth of that of the patches."""
    net = chain((12, 12, 1), *block(1, 4), Flatten(), Linear(400, 5))
    at = point(loss_of(net), num_examples=5)
    rows, columns = np.mgrid[:12, :12] / 4
    shades = np.random.default_rng(0).normal(size=(3, *at.x.shape[:2], 1, 1))
    smooth = shades[0] * np.sin(rows) + shades[1] * np.cos(columns) + shades[2] * rows
    at.x[...] = np.float32(255 * smooth)[..., None]
    kernel = net.layout.unpack(at.phi)["l0.kernel"]
    kernel[..., 0, 0], kernel[..., 0, 1] = LAPLACE, SOBEL
    at.phi[...] = np.float32(at.phi)
    compare(at.astype(dtype), required, at)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_the_inputs_does_not_matter(scale):
    at = named("two-blocks-flat").astype(np.float64)
    at.x[...] *= scale
    compare(at, ALIKE["float64"])


def test_a_dead_channel_stays_dead():
    """γ = 0 and β < 0: no entry passes the ReLU, and nothing divides by zero."""
    at = named("omniglot_cnn")
    for block_name, array in at.loss.net.layout.unpack(at.phi).items():
        if block_name.endswith("gamma"):
            array[:, 0] = 0
        if block_name.endswith("beta"):
            array[:, 0] = -1
    compare(at, ALIKE["float64"])


def test_images_of_one_value_have_no_variance():
    at = named("two-blocks-flat").astype(np.float64)
    at.x[...] = 0
    compare(at, ALIKE["float64"])


def test_examples_of_any_memory_layout():
    at = named("omniglot_cnn")
    flipped = at.x[:, :, ::-1, ::-1]
    copied = np.asfortranarray(flipped)
    first = at.loss.linearize(at.phi, flipped, at.y)
    second = at.loss.linearize(np.asfortranarray(at.phi), copied, at.y)
    assert_array_equal(first.grad, second.grad)
    assert_array_equal(first.hvp(at.v), second.hvp(np.repeat(at.v, 2, axis=1)[:, ::2]))


def test_one_phi_for_all_tasks_may_be_a_view():
    at = named("omniglot_cnn")
    phi = np.broadcast_to(at.phi[0], at.phi.shape)
    view = at.loss.linearize(phi, at.x, at.y)
    assert_array_equal(view.grad, at.loss.linearize(phi.copy(), at.x, at.y).grad)


@pytest.mark.parametrize("other", UNCOVERED)
def test_other_networks_take_the_plain_path(other):
    net = UNCOVERED[other]
    at = point(loss_of(net))
    assert not covers(net)
    assert type(at.linearize()) is Linearization
    assert type(at.loss.on(at.phi[0], at.x, at.y)) is Examples
    for what, array in values(at.plain(), at.v).items():
        assert_array_equal(values(at.linearize(), at.v)[what], array)


def test_all_that_begin_with_a_block_are_covered():
    for name, net in COVERED.items():
        assert covers(net), name


def test_complex_parameters_take_the_plain_path():
    at = named("omniglot_cnn")
    lin = at.loss.linearize(at.phi + 1e-30j * at.v, at.x, at.y)
    assert type(lin) is Linearization
    assert_allclose(
        lin.grad.imag / 1e-30, at.linearize().hvp(at.v), rtol=1e-11, atol=1e-13
    )


class OnDevice:
    """An array that is not NumPy's."""

    def __init__(self, array):
        self.array, self.dtype, self.shape = array, array.dtype, array.shape
        self.size = array.size


def test_arrays_that_are_not_numpys_do_not_fit():
    at = named("omniglot_cnn")
    fused, (theta, x) = FusedNetwork(at.loss.net), (at.phi[0], at.x)
    assert fused.fits(theta, x)
    assert not fused.fits(OnDevice(theta), x)
    assert not fused.fits(theta, OnDevice(x))


def test_arrays_that_are_not_numpys_take_the_plain_path():
    at = named("omniglot_cnn")
    with device_double(), device_stage("plain"):
        theta, x, y = (to_device(a) for a in (at.phi[0], at.x, at.y))
        assert type(at.loss.on(theta, x, y)) is Examples


def test_the_plain_path_is_asked_for_and_left_again():
    at = named("omniglot_cnn")
    assert not is_plain()
    with plain_path():
        assert is_plain()
        assert type(at.linearize()) is Linearization
        with plain_path():
            assert is_plain()
        assert is_plain()
    assert isinstance(at.linearize(), FusedLinearization)
    with pytest.raises(RuntimeError, match="left"), plain_path():
        raise RuntimeError("left")
    assert not is_plain()


def test_a_network_of_one_block_is_worth_it():
    net = chain((3, 3, 1), *block(1, 2), Flatten())
    at = point(loss_of(net), num_tasks=1, num_examples=2)
    assert isinstance(at.loss.on(at.phi[0], at.x, at.y), FusedExamples)
    compare(at, ALIKE["float64"])
