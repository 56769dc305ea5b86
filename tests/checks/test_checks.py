"""The witnesses are right where the truth is known, and find what is planted."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

from imaml_ref.checks import (
    adjoint_gap,
    central_difference,
    check_layer,
    check_loss,
    check_network,
    complex_step,
    digits,
    layer_report,
    linearity_gap,
    network_report,
    symmetry_gap,
    taylor_slopes,
)
from imaml_ref.checks.trees import arrays, map_leaves
from imaml_ref.layers import Flatten, Linear, Tanh
from imaml_ref.meta_gradients.objective import TaskLoss
from imaml_ref.networks.architectures import mlp
from imaml_ref.networks.losses import SquaredError
from tests.helpers.cases import KINKED, SMOOTH

X = np.array([0.3, -1.2, 0.7])
V = np.array([0.5, 0.4, -0.9])


def cubic(x):
    return (x**3 + 2 * x**2).sum()


SLOPE = ((3 * X**2 + 4 * X) * V).sum()
CURVATURE = ((6 * X + 4) * V**2).sum()


def test_complex_step_is_exact_to_rounding():
    assert_allclose(complex_step(cubic, X, V), SLOPE, rtol=1e-15)


def test_central_difference_is_good_to_nine_digits():
    assert_allclose(central_difference(cubic, X, V), SLOPE, rtol=1e-9)


def test_taylor_slopes_are_two_and_three():
    slopes = taylor_slopes(cubic, X, V, slope=SLOPE, curvature=CURVATURE)
    assert_allclose(slopes, (2, 3), rtol=0.02)


@pytest.mark.parametrize(
    ("slope", "curvature", "expected"),
    [(1.1 * SLOPE, CURVATURE, (1, 1)), (SLOPE, 1.1 * CURVATURE, (2, 2))],
)
def test_taylor_slopes_fall_by_one_where_a_derivative_is_wrong(
    slope, curvature, expected
):
    steps = (1e-3, 5e-4, 2.5e-4)
    slopes = taylor_slopes(cubic, X, V, slope=slope, curvature=curvature, steps=steps)
    assert_allclose(slopes, expected, rtol=0.02)


def test_taylor_slopes_of_a_quadratic_have_no_third_order():
    def square(x):
        return (x * x).sum()

    slopes = taylor_slopes(square, np.zeros(2), np.ones(2), slope=0.0, curvature=4.0)
    assert slopes == (pytest.approx(2), math.inf)


A = np.random.default_rng(0).normal(size=(3, 4))


def test_gaps_are_zero_for_what_they_ask_for():
    u, v = np.random.default_rng(1).normal(size=(2, 4))
    assert adjoint_gap(lambda x: A @ x, lambda y: A.T @ y, u, X) < 5e-15
    assert symmetry_gap(lambda x: A.T @ (A @ x), u, v) < 5e-15
    assert linearity_gap(lambda x: A @ x, u, v) < 5e-15


def test_gaps_are_large_where_it_does_not_hold():
    u, v = np.random.default_rng(1).normal(size=(2, 4))
    square = A.T @ A
    square[0, 1] *= 1.1
    assert adjoint_gap(lambda x: A @ x, lambda y: 1.01 * A.T @ y, u, X) > 1e-3
    assert symmetry_gap(lambda x: square @ x, u, v) > 1e-3
    assert linearity_gap(lambda x: A @ x + 1e-3, u, v) > 1e-4


@pytest.mark.parametrize(
    ("got", "want", "whole", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], None, 16),
        ([1.001, 0.0], [1.0, 0.0], None, 3),
        ([3.0, 0.0], [1.0, 0.0], None, 0),
        ([math.nan, 2.0], [1.0, 2.0], None, 0),
        ([0.0, 0.0], [0.0, 0.0], None, 16),
        ([1e-17, 0.0], [0.0, 0.0], None, 0),
        # √u ‖whole‖ = 1.05e-8: noise of 1e-17 in a tensor that should be zero.
        ([1e-17, 0.0], [0.0, 0.0], 1.0, 9.02),
        ([1e-17, 0.0], [0.0, 0.0], np.array([0.6, 0.8]), 9.02),
    ],
)
def test_digits_of_agreement(got, want, whole, expected):
    found = digits(np.array(got), np.array(want), whole=whole)
    assert found == pytest.approx(expected, abs=0.01)


def test_digits_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match=r"equal shapes, got \(2, 1\), \(2,\)"):
        digits(np.zeros((2, 1)), np.zeros(2))


def test_digits_of_float32_measures_in_its_own_roundoff():
    # √u of float32 is 2.4e-4.
    found = digits(np.float32([1e-8]), np.zeros(1), whole=1.0)
    assert found == pytest.approx(4.39, abs=0.01)


def test_trees_are_rebuilt_as_they_were():
    class Pair(NamedTuple):
        a: object
        b: object

    tree = Pair(np.ones(2), {"c": [np.zeros(3), None], "d": (7,)})
    assert list(arrays(tree)) == ["a", "b.c.0"]
    doubled = map_leaves(lambda _, leaf: leaf if leaf is None else 2 * leaf, tree)
    assert isinstance(doubled, Pair)
    assert doubled.b["d"] == (14,)
    assert doubled.b["c"][1] is None


@dataclass(frozen=True)
class Swish:
    """A user's own layer, y = a x² with one a per task: no base class, saved a tuple.

    Each flag plants a mistake.
    """

    in_jvp: float = 1.0
    in_saved_dot: float = 1.0
    in_vjp: float = 1.0
    in_vjp_dot: float = 1.0

    shapes = {"a": (1,)}  # noqa: RUF012

    def forward(self, p, x):
        return self.wide(p) * x**2, (x, {"slope": 2 * x})

    def jvp(self, p, saved, p_dot, x_dot):
        x, rest = saved
        y_dot = self.wide(p) * rest["slope"] * x_dot + self.wide(p_dot) * x**2
        return self.in_jvp * y_dot, (x_dot, {"slope": self.in_saved_dot * 2 * x_dot})

    def vjp(self, p, saved, y_bar):
        x, rest = saved
        p_bar = {"a": (y_bar * x**2).sum((1, 2))[:, None]}
        return p_bar, self.in_vjp * self.wide(p) * rest["slope"] * y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        (x, rest), (x_dot, rest_dot) = saved, saved_dot
        a_bar_dot = (y_bar_dot * x**2 + self.in_vjp_dot * 2 * y_bar * x * x_dot).sum(
            (1, 2)
        )
        x_bar_dot = self.wide(p_dot) * rest["slope"] * y_bar
        x_bar_dot += self.wide(p) * rest_dot["slope"] * y_bar
        x_bar_dot += self.wide(p) * rest["slope"] * y_bar_dot
        return {"a": a_bar_dot[:, None]}, x_bar_dot

    def wide(self, p):
        return p["a"][:, :, None]


SHAPE = (2, 3, 5)


def test_a_right_layer_of_a_user_passes():
    report = check_layer(Swish(), SHAPE)
    assert report.passed
    assert "vjp_dot is the derivative of vjp" in str(report)
    assert check_layer(Swish(), SHAPE, dtype=np.float32).passed


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (Swish(in_jvp=2.0), "jvp is the derivative of forward"),
        (Swish(in_saved_dot=0.5), "jvp is the derivative of forward"),
        (Swish(in_vjp_dot=1.1), "vjp_dot is the derivative of vjp"),
    ],
)
def test_the_method_that_is_wrong_is_the_one_that_is_named(wrong, what):
    report = layer_report(wrong, SHAPE)
    assert [check.what for check in report.failures] == [what]


def test_a_wrong_adjoint_is_named_with_its_entry_and_ratio():
    message = (
        r"vjp is the adjoint of jvp in x \|.*\n"
        r" *x_bar\[0, \d, \d\] is (\S+), expected \S+, ratio 3\n"
        r" *every entry is 3 times what is expected: a sum where a mean was meant"
    )
    with pytest.raises(AssertionError, match=message):
        check_layer(Swish(in_vjp=3.0), SHAPE)


def test_a_wrong_tangent_of_what_is_saved_is_named():
    with pytest.raises(AssertionError, match=r"saved_dot\.1\.slope\[.*ratio 0\.5"):
        check_layer(Swish(in_saved_dot=0.5), SHAPE)


def test_a_lost_sign_is_called_a_sign():
    with pytest.raises(AssertionError, match=r"every entry is -1 times .*: a sign"):
        check_layer(Swish(in_jvp=-1.0), SHAPE, seed=3)


class Absolute(Swish):
    """abs() is real on complex numbers: no complex step passes."""

    def forward(self, p, x):
        y, saved = super().forward(p, x)
        return y + abs(x), saved


class Mixing(Swish):
    """The mean over tasks is taken off."""

    def forward(self, p, x):
        y, saved = super().forward(p, x)
        return y - y.mean(0), saved


class InPlace(Swish):
    def vjp(self, p, saved, y_bar):
        y_bar *= 2
        return super().vjp(p, saved, y_bar)


class Double(Swish):
    def forward(self, p, x):
        y, saved = super().forward(p, x)
        return y * np.ones(1), saved


class Restless(Swish):
    calls = [0]  # noqa: RUF012

    def forward(self, p, x):
        self.calls[0] += 1
        y, saved = super().forward(p, x)
        return y + 1e-15 * self.calls[0], saved


class Forgetful(Swish):
    def vjp(self, p, saved, y_bar):
        return {}, super().vjp(p, saved, y_bar)[1]


class Flat(Swish):
    def vjp_dot(self, *arguments):
        p_bar_dot, x_bar_dot = super().vjp_dot(*arguments)
        return p_bar_dot, x_bar_dot[:, 0]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Absolute(), "forward is complex-safe"),
        (Mixing(), "tasks do not mix"),
        (InPlace(), "vjp changed y_bar"),
        (Double(), "forward: y is float64 for float32 arguments"),
        (Restless(), "forward: y differs"),
        (Forgetful(), "missing or unknown: a"),
        (Flat(), r"x has shape \(2, 5\), expected \(2, 3, 5\)"),
    ],
    ids=lambda a: type(a).__name__ if isinstance(a, Swish) else "",
)
def test_other_ways_to_be_wrong_are_named(layer, message):
    with pytest.raises(AssertionError, match=message):
        check_layer(layer, SHAPE)


@pytest.mark.parametrize(
    "net", [KINKED["omniglot_cnn"], SMOOTH["mlp-tanh"]], ids=["omniglot_cnn", "mlp"]
)
def test_networks_pass(net):
    assert check_network(net).passed
    assert check_network(TaskLoss(net, SquaredError()), dtype=np.float32).passed


@dataclass(frozen=True)
class Spoiled:
    """A task loss with one result changed."""

    right: TaskLoss
    name: str
    change: object

    @property
    def net(self):
        return self.right.net

    def linearize(self, phi, x, y):
        lin = self.right.linearize(phi, x, y)
        result = getattr(lin, self.name)
        if callable(result):
            setattr(lin, self.name, lambda v: self.change(result(v)))
        else:
            setattr(lin, self.name, self.change(result))
        return lin


def changed_entry(a):
    """Change one entry of head.kernel, which follows 40 others."""
    a = a.copy()
    a[-1, 45] += 0.01
    return a


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("grad", lambda a: 5 * a, r"grad is .*\n.*ratio 5\n.*every entry is 5 times"),
        ("hvp", lambda a: 2 * a, r"hvp is the derivative of grad.*\n.*ratio 2\n"),
        ("hvp", changed_entry, r"head\.kernel\[1, 45\] is"),
        ("hvp", lambda a: a + 0.1, "hvp is linear"),
        ("grad", lambda a: a[:, 1:], r"grad has shape \(2, 49\), expected \(2, 50\)"),
        ("value", lambda a: a[::-1], "tasks do not mix"),
        ("grad", lambda a: a * np.ones(1), "grad is float64 for float32"),
    ],
)
def test_a_spoiled_loss_is_named(name, change, message):
    net = mlp((4,), (4, 4), 2, activation=Tanh)
    assert net.layout.slices[-2] == slice(40, 48)
    loss = Spoiled(TaskLoss(net, SquaredError()), name, change)
    rng = np.random.default_rng(0)
    phi, x, y = (rng.normal(size=s) for s in ((2, 50), (2, 3, 4), (2, 3, 2)))
    with pytest.raises(AssertionError, match=message):
        check_loss(loss, phi, x, y)


def test_a_wrong_layer_shows_in_its_network():
    class Wrong(Tanh):
        def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
            return {}, saved.s * y_bar_dot  # act″ is missing

    report = network_report(mlp((3,), (5, 4), 2, activation=Wrong))
    assert [check.what for check in report.failures][:1] == [
        "hvp is the derivative of grad"
    ]


def test_layers_without_parameters_pass():
    assert check_layer(Flatten(), (2, 3, 4, 5, 1)).passed
    assert check_layer(Linear(5, 2), (2, 3, 5), required=14).passed
