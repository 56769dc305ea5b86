"""Layers, losses and networks that are right pass; what is planted is named."""

from dataclasses import dataclass

import numpy as np
import pytest

from imaml_ref.checks import (
    check_layer,
    check_loss,
    check_network,
    layer_report,
    network_report,
)
from imaml_ref.layers import Flatten, Linear, Tanh
from imaml_ref.meta_gradients.objective import TaskLoss
from imaml_ref.networks.architectures import mlp
from imaml_ref.networks.losses import SquaredError
from tests.helpers.cases import KINKED, SMOOTH


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
