"""Every layer fulfils the contract of layers/base.py, to rounding.

The functions that take a ``case`` walk over ``cases.LAYERS``; the mutation run of
``mutation/derivatives.py`` calls the same functions on layers with a planted mistake.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.checks import check_layer
from imaml_ref.layers import (
    AveragePool2d,
    BatchNorm2d,
    Conv2d,
    GlobalAveragePool2d,
    GroupNorm,
    InstanceNorm2d,
    LayerNorm,
    Linear,
    MaxPool2d,
    ReLU,
    ZeroPad2d,
)
from imaml_ref.layers.base import Layer
from imaml_ref.networks.network import Network
from tests.helpers.cases import IMAGES, LAYERS

NORMS = ("LayerNorm", "GroupNorm", "InstanceNorm2d")
EXACTLY = {"rtol": 1e-12, "atol": 1e-13}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS.keys())
def case(request):
    return request.param


def test_forward_is_what_its_name_says(case):
    p, x = point(case)
    y, _ = case.layer.forward(p, x)
    assert_allclose(y, case.witness(p, x), **EXACTLY)


def test_each_method_agrees_with_its_witness(case):
    check_layer(case.layer, case.x_shape)


def test_float32_agrees_with_float64(case):
    check_layer(case.layer, case.x_shape, dtype=np.float32)


def test_a_task_has_the_same_bits_in_any_batch(case):
    p, x = point(case)
    y, saved = case.layer.forward(p, x)
    p_bar, x_bar = case.layer.vjp(p, saved, y)
    for t in range(len(x)):
        one = {n: a[t : t + 1] for n, a in p.items()}
        y_t, saved = case.layer.forward(one, x[t : t + 1])
        p_bar_t, x_bar_t = case.layer.vjp(one, saved, y_t)
        assert_array_equal(y_t, y[t : t + 1])
        assert_array_equal(x_bar_t, x_bar[t : t + 1])
        for n in p_bar:
            assert_array_equal(p_bar_t[n], p_bar[n][t : t + 1], err_msg=n)


def test_large_inputs_do_not_overflow(case):
    p, x = point(case)
    for scale in (30, 800):
        y, saved = case.layer.forward(p, scale * x)
        y_dot, _ = case.layer.jvp(p, saved, p, x)
        _, x_bar = case.layer.vjp(p, saved, np.ones_like(y))
        assert all(np.isfinite(a).all() for a in (y, y_dot, x_bar))


def test_a_kink_takes_the_branch_that_the_derivation_names(case):
    if case.at_zero is None:
        return
    x, ones = np.zeros(case.x_shape), np.ones(case.x_shape)
    stepped, _ = case.layer.forward({}, x + 1e-30j)
    assert_allclose(stepped.imag, 1e-30 * case.at_zero[0], rtol=1e-15)
    _, saved = case.layer.forward({}, x)
    y_dot, saved_dot = case.layer.jvp({}, saved, {}, ones)
    _, bend = case.layer.vjp_dot({}, saved, {}, saved_dot, ones, 0 * ones)
    assert_allclose(y_dot, case.at_zero[0], rtol=1e-15)
    assert_allclose(bend, case.at_zero[1], rtol=1e-15)


def test_an_activation_has_a_value_and_a_slope_at_infinity(case):
    if case.at_zero is None:
        return
    x = np.array([-np.inf, np.inf]).reshape(1, 2, 1)
    y, saved = case.layer.forward({}, x)
    y_dot, _ = case.layer.jvp({}, saved, {}, np.ones_like(x))
    assert not np.isnan(y).any()
    assert np.isfinite(y_dot).all()


def test_what_is_normalised_has_no_mean_however_far_from_zero_it_was(case):
    """In float32, to the rounding of n numbers of its own size, not of 10⁴."""
    sets = {"BatchNorm2d": (1, 2, 3)} | dict.fromkeys(NORMS, (2, 4))
    axes = sets.get(type(case.layer).__name__)
    if axes is None:
        return
    _, x = point(case)
    far = (1e4 + x).astype(np.float32)
    shapes = case.layer.shapes.items()
    one = {n: np.full((len(x), *s), n == "gamma", np.float32) for n, s in shapes}
    y, saved = case.layer.forward(one, far)
    _, x_bar = case.layer.vjp(one, saved, far)
    y, x_bar = (a.reshape(saved.x_hat.shape) for a in (y, x_bar))
    for a in (y, x_bar / saved.rho):
        count = np.prod([a.shape[axis] for axis in axes])
        means = a.astype(float).mean(axes)
        assert np.abs(means).max() < count * np.finfo(np.float32).eps


def test_what_the_support_set_normalises_has_no_mean_either(case):
    """Nor have the cotangents and their tangents, to the same rounding."""
    name = type(case.layer).__name__
    if name not in ("BatchNorm2d", "SupportNorm2d", "TaskNorm2d"):
        return
    _, x = point(case)
    far, shapes = (1e4 + x).astype(np.float32), case.layer.shapes
    one = {n: np.full((len(x), *s), n == "gamma", "f4") for n, s in shapes.items()}
    y, saved = case.layer.forward(one, far)
    _, x_bar = case.layer.vjp(one, saved, far)
    still = {n: 0 * a for n, a in one.items()}
    _, saved_dot = case.layer.jvp(one, saved, still, x.astype("f4"))
    turned = one, saved, still, saved_dot, far, far
    _, x_bar_dot = case.layer.vjp_dot(*turned)
    of_whom = getattr(case.layer, "num_support", None)  # a query has a mean
    y = 0 * y if name == "TaskNorm2d" else y[:, :of_whom]
    for a in (y, *(bar / saved.rho[:, :1] for bar in (x_bar, x_bar_dot))):
        means = a.astype(float).mean((1, 2, 3))
        size = max(1, np.abs(a).max())  # that of x̄ where queries pull on few others
        assert np.abs(means).max() < x[0, ..., 0].size * np.finfo("f4").eps * size


CASE_TESTS = (
    test_forward_is_what_its_name_says,
    test_each_method_agrees_with_its_witness,
    test_float32_agrees_with_float64,
    test_a_task_has_the_same_bits_in_any_batch,
    test_large_inputs_do_not_overflow,
    test_a_kink_takes_the_branch_that_the_derivation_names,
    test_an_activation_has_a_value_and_a_slope_at_infinity,
    test_what_is_normalised_has_no_mean_however_far_from_zero_it_was,
)


def point(case, seed=1):
    """Return random parameters and input of a layer."""
    rng = np.random.default_rng(seed)
    tasks = case.x_shape[0]
    p = {n: rng.normal(size=(tasks, *s)) for n, s in case.layer.shapes.items()}
    return p, rng.normal(size=case.x_shape)


def test_initial_parameters_are_those_of_the_released_code():
    values = Conv2d(64, 64).init(np.random.default_rng(0))
    half_width = 1.73 * (6 / (9 * (64 + 64))) ** 0.5
    assert values["kernel"].shape == (3, 3, 64, 64)
    assert 0.99 * half_width < abs(values["kernel"]).max() < half_width
    assert 0 < values["bias"].min() < values["bias"].max() < 0.05
    assert_array_equal(BatchNorm2d(3).init(None)["gamma"], np.ones(3))
    assert_array_equal(BatchNorm2d(3).init(None)["beta"], np.zeros(3))


class Scale(ReLU):
    """y = a x with one parameter, whose name nobody knows."""

    shapes = {"a": (1,)}  # noqa: RUF012


def test_a_parameter_without_a_start_is_named():
    with pytest.raises(NotImplementedError, match=r"Scale has a parameter 'a'"):
        Scale().init(np.random.default_rng(0))


@pytest.mark.parametrize("tasks", [slice(None), slice(None, None, -1)])
def test_max_pool_takes_the_first_of_equals(tasks):
    x = np.zeros((2, 1, 2, 2, 1))[tasks]
    _, saved = MaxPool2d().forward({}, x)
    _, x_bar = MaxPool2d().vjp({}, saved, np.ones((2, 1, 1, 1, 1)))
    assert_array_equal(x_bar[:, 0, :, :, 0], [[[1, 0], [0, 0]]] * 2)


def test_batch_norm_normalises():
    rng = np.random.default_rng(0)
    p = {"gamma": np.ones((2, 4)), "beta": np.zeros((2, 4))}
    y, _ = BatchNorm2d(4, eps=0.0).forward(p, 3 + 5 * rng.normal(size=IMAGES))
    assert_allclose(y.mean((1, 2, 3)), 0, atol=1e-14)
    assert_allclose((y**2).mean((1, 2, 3)), 1, rtol=1e-13)


WRONG = {
    "batch_norm": (BatchNorm2d(4), r"BatchNorm2d .* \(T, N, H, W, 4\), got"),
    "conv": (Conv2d(4, 3), r"Conv2d .* \(T, N, H, W, 4\), got"),
    "linear": (Linear(4, 3), r"Linear .* \(T, N, 4\), got"),
    "layer_norm": (LayerNorm((6, 4)), r"LayerNorm.* \(T, N, \.\.\., 6, 4\), got"),
    "group_norm": (GroupNorm(2, 4), r"GroupNorm.* \(T, N, \.\.\., 4\), got"),
    "instance_norm": (InstanceNorm2d(4), r"InstanceNorm2d.*\.\.\., 4\), got"),
    "max_pool": (MaxPool2d((6, 2)), r"pooling .* at least 6 × 2 pixels, got"),
    "average_pool": (AveragePool2d((2, 7)), r"pooling .* at least 2 × 7 pixels, got"),
}


@pytest.mark.parametrize(("layer", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_shape_is_named(layer, message):
    p = {n: np.zeros((2, *s)) for n, s in layer.shapes.items()}
    with pytest.raises(ValueError, match=rf"{message} \(2, 3, 5, 6, 7\)"):
        layer.forward(p, np.zeros((2, 3, 5, 6, 7)))


ALONE = {
    "a pixel": (InstanceNorm2d(4), (2, 3, 1, 1, 4)),
    "a feature": (InstanceNorm2d(4), (2, 3, 4)),
    "groups of one": (GroupNorm(4, 4), (2, 3, 4)),
    "one channel": (LayerNorm(1), (2, 3, 5, 6, 1)),
}


@pytest.mark.parametrize(("layer", "x_shape"), ALONE.values(), ids=ALONE.keys())
def test_a_normalisation_of_single_entries_is_refused(layer, x_shape):
    p = {n: np.ones((2, *s)) for n, s in layer.shapes.items()}
    with pytest.raises(ValueError, match=r"zero of each entry of x \(2, 3, .* alone"):
        layer.forward(p, np.ones(x_shape))


@pytest.mark.parametrize("layer", [ZeroPad2d(), GlobalAveragePool2d()])
def test_images_are_asked_for(layer):
    with pytest.raises(ValueError, match=r"\(T, N, H, W, C\), got \(2, 3, 5\)"):
        layer.forward({}, np.zeros((2, 3, 5)))


def test_a_window_larger_than_the_image_is_named():
    p = {"kernel": np.zeros((1, 4, 4, 1, 1)), "bias": np.zeros((1, 1))}
    with pytest.raises(ValueError, match=r"window of \(4, 4\) .* 3 × 5 pixels"):
        Conv2d(1, 1, (4, 4)).forward(p, np.zeros((1, 2, 3, 5, 1)))


def test_the_contract_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Layer()


class Negate(Layer):
    """y = −x, by the four methods and nothing else."""

    def forward(self, p, x):
        return -x, None

    def jvp(self, p, saved, p_dot, x_dot):
        return -x_dot, None

    def vjp(self, p, saved, y_bar):
        return {}, -y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        return {}, -y_bar_dot


def test_a_layer_without_parameters_is_four_methods():
    check_layer(Negate(), (2, 3, 4))
    net = Network({"negate": Negate(), "head": Linear(4, 3)}, (4,))
    assert net.layout.shapes == ((4, 3), (3,))
    assert Negate().init(np.random.default_rng(0)) == {}
