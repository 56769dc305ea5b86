"""What some mistakes compute, written out: each is wrong as it says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.checks import check_layer, complex_step
from imaml_ref.conformance import Computation, load_suite
from imaml_ref.conformance.mutants import combined
from imaml_ref.conformance.mutants.layers import (
    BendlessTanh,
    ChannelsFirstFlatten,
    FlippedConv2d,
    TopLeftPad,
)
from imaml_ref.conformance.mutants.losses import TwiceSoftmax
from imaml_ref.conformance.mutants.norms import (
    ConstantScaleNorm,
    ConstantStatisticsNorm,
    EpsOutsideNorm,
    UnbiasedNorm,
)

CASES = load_suite()
CASE = CASES["mlp-tanh"]
N = CASE.inputs["support_x"].shape[1]


def asked(name):
    return combined(name, looks=False).meta_grad(CASE, CASE.solution)


@pytest.fixture(scope="module", name="pieces")
def make_pieces():
    reference = Computation()
    H = reference.curvature(CASE, CASE.solution)
    return H, reference.outer_gradient(CASE, CASE.solution), CASE.lam, np.eye(len(H[0]))


def times(H, v):
    return (H @ v[..., None])[..., 0]


def solved(A, v):
    return np.linalg.solve(A, v[..., None])[..., 0].mean(0)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("first-order", lambda H, v, lam, one: v.mean(0)),
        ("lam-not-multiplied", lambda H, v, lam, one: solved(H + lam * one, v)),
        ("one-plus-lam-h", lambda H, v, lam, one: solved(one + lam * H, v)),
        ("curvature-sign", lambda H, v, lam, one: solved(one - H / lam, v)),
        ("lam-halved", lambda H, v, lam, one: solved(one + 2 * H / lam, v)),
        ("lam-doubled", lambda H, v, lam, one: solved(one + H / (2 * lam), v)),
        ("lam-added-twice", lambda H, v, lam, one: solved(H / lam + 2 * one, v)),
        (
            "released-operator",
            lambda H, v, lam, one: solved(2 * one + H / (lam + 10), v),
        ),
        (
            "tasks-mixed",
            lambda H, v, lam, one: solved(one + H / lam, np.roll(v, -1, 0)),
        ),
        ("mean-curvature", lambda H, v, lam, one: solved(one + H.mean(0) / lam, v)),
        ("neumann-one-term", lambda H, v, lam, one: (v - times(H, v) / lam).mean(0)),
        ("solve-left-out", lambda H, v, lam, one: lam * v.mean(0)),
        (
            "damping-left-on",
            lambda H, v, lam, one: lam * solved(H + (lam + 0.1) * one, v),
        ),
        ("hvp-of-sum", lambda H, v, lam, one: solved(one + N * H / lam, v)),
    ],
)
def test_a_meta_gradient_is_wrong_as_it_says(pieces, name, formula):
    assert_allclose(asked(name), formula(*pieces), rtol=1e-12, atol=1e-15)


def test_the_last_iterate_dropped_gives_zero_for_the_identity():
    b = np.arange(1.0, 6)
    assert_array_equal(combined("cg-last-iterate-dropped").solve(np.eye(5), b), 0 * b)


def test_one_step_is_parallel_to_the_right_hand_side():
    case = CASES["spd-10"]
    x = combined("cg-one-step").solve(case.A, case.b)
    assert_allclose(x / case.b, (x / case.b)[0])
    tiny = CASES["tiny-right-hand-side"]
    early = combined("cg-absolute-tolerance").solve(tiny.A, tiny.b)
    assert_array_equal(early, combined("cg-one-step").solve(tiny.A, tiny.b))


def test_five_steps_unrolled_is_the_derivative_of_five_steps():
    case = CASES["ridge"]
    step = inner_rate(case)

    def mapped(theta):
        phi = np.repeat(theta[None], case.num_tasks, 0)
        for _ in range(5):
            pull = case.lam * (phi - theta)
            phi = phi - step * (Computation().at_support(case, phi).grad + pull)
        return Computation().at_query(case, phi).value.mean()

    axes = np.eye(len(case.theta))
    want = [complex_step(mapped, case.theta, axis) for axis in axes]
    got = combined("five-steps-unrolled").meta_grad(case)
    assert_allclose(got, want, rtol=1e-12)


def inner_rate(case):
    start = np.repeat(case.theta[None], case.num_tasks, 0)
    H = Computation().curvature(case, start)
    return 1 / (np.linalg.eigvalsh(H).max() + case.lam)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (UnbiasedNorm(4), (2, 3, 5, 6, 4)),
        (EpsOutsideNorm(4, eps=0.25), (2, 3, 5, 6, 4)),
        (FlippedConv2d(2, 3, (3, 2), padding=(1, 1)), (2, 3, 5, 6, 2)),
        (ChannelsFirstFlatten(), (2, 3, 5, 6, 4)),
        (TopLeftPad(1, 2), (2, 3, 5, 6, 4)),
    ],
    ids=lambda a: type(a).__name__,
)
def test_a_layer_is_wrong_in_what_it_computes_not_in_its_derivatives(layer, shape):
    check_layer(layer, shape)


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (ConstantStatisticsNorm(4), "x_bar"),
        (ConstantScaleNorm(4), r"saved_dot\.rho"),
        (BendlessTanh(), r"saved_dot\.s"),
    ],
    ids=lambda a: type(a).__name__,
)
def test_a_layer_is_wrong_in_its_derivatives(layer, fault):
    with pytest.raises(AssertionError, match=fault):
        check_layer(layer, (2, 3, 5, 6, 4))


def test_softmax_twice_differentiates_what_it_computes():
    rng = np.random.default_rng(0)
    z, z_dot = rng.normal(size=(2, 2, 3, 4))
    y, loss = rng.integers(0, 4, (2, 3)), TwiceSoftmax()
    saved = loss.forward(z, y)[1]
    slope = complex_step(lambda a: loss.forward(a, y)[0], z, z_dot)
    assert_allclose((loss.grad(saved) * z_dot).sum((1, 2)), slope, rtol=1e-12)
    bend = complex_step(lambda a: loss.grad(loss.forward(a, y)[1]), z, z_dot)
    assert_allclose(loss.hvp(saved, z_dot), bend, rtol=1e-12)
