"""What is not for the fused path, or not finite, fares as on the plain path."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.checks import complex_step, digits
from imaml_ref.fused import FusedExamples, plain_path
from imaml_ref.meta_gradients.objective import ProximalObjective, TaskLoss
from imaml_ref.networks.linearization import Linearization
from imaml_ref.networks.losses import SoftmaxCrossEntropy
from imaml_ref.networks.network import Network
from tests.helpers.fused_nets import COVERED
from tests.helpers.fused_points import (
    Point,
    assert_same_values,
    loss_of,
    named,
    needs_fused,
    point,
    values,
)

pytestmark = needs_fused

WRONG = {
    "phi of another length": lambda a: {"phi": a.phi[:, :-1]},
    "phi that would broadcast": lambda a: {"phi": a.phi[:, :1]},
    "phi of one task": lambda a: {"phi": a.phi[:1]},
    "phi without tasks": lambda a: {"phi": a.phi[0]},
    "phi of integers": lambda a: {"phi": np.ones(a.phi.shape, int)},
    "phi in float32": lambda a: {"phi": a.phi.astype(np.float32)},
    "x in float32": lambda a: {"x": a.x.astype(np.float32)},
    "x of another size": lambda a: {"x": a.x[:, :, 1:]},
    "x without channels": lambda a: {"x": a.x[..., 0]},
    "x of one task": lambda a: {"x": a.x[:1]},
    "x of no examples": lambda a: {"x": a.x[:, :0], "y": a.y[:, :0]},
    "x as a list": lambda a: {"x": a.x.tolist()},
    "labels of floats": lambda a: {"y": a.y.astype(float)},
    "labels too few": lambda a: {"y": a.y[:, 1:]},
    "labels too large": lambda a: {"y": a.y + 100},
    "labels negative": lambda a: {"y": a.y - 100},
    "v of another length": lambda a: {"v": a.v[:, 1:]},
    "v that would broadcast": lambda a: {"v": a.v[:, :1]},
    "v without tasks": lambda a: {"v": a.v[0]},
    "v complex": lambda a: {"v": a.v + 0j},
}


@pytest.mark.parametrize("product", ["hvp", "gnvp"])
@pytest.mark.parametrize("wrong", WRONG)
def test_refusals_are_word_for_word_those_of_the_plain_path(wrong, product):
    at = named("omniglot_cnn")
    given = {"phi": at.phi, "x": at.x, "y": at.y, "v": at.v} | WRONG[wrong](at)

    def ask():
        lin = at.loss.linearize(given["phi"], given["x"], given["y"])
        getattr(lin, product)(given["v"])

    with pytest.raises((TypeError, ValueError, AttributeError)) as fused:
        ask()
    with plain_path(), pytest.raises(fused.type) as plain:
        ask()
    assert str(fused.value) == str(plain.value)
    assert_array_equal(at.linearize().grad, named("omniglot_cnn").linearize().grad)


def test_refused_parameters_are_refused_by_examples_too():
    at = named("omniglot_cnn")
    on = at.examples()
    want = on.gradient(at.phi)
    for phi in (at.phi[:, :1], at.phi[:1]):
        for ask in (on.gradient, on.linearize):
            with pytest.raises(ValueError, match=r"expected|expects"):
                ask(phi)
    assert_array_equal(on.gradient(at.phi), want)


PRODUCTS_OF_OTHERS = {
    "float32": lambda v: v.astype(np.float32),
    "integers": lambda v: np.ones(v.shape, int),
}


@pytest.mark.parametrize("kind", PRODUCTS_OF_OTHERS)
def test_directions_of_another_kind_give_what_the_plain_path_gives(kind):
    at = named("omniglot_cnn")
    v = PRODUCTS_OF_OTHERS[kind](at.v)
    for dtype in (np.float64, np.float32):
        one = at.astype(dtype)
        for product in ("hvp", "gnvp"):
            got = getattr(one.linearize(), product)(v)
            want = getattr(one.plain(), product)(v)
            assert got.dtype == want.dtype
            assert digits(got, want) > (11 if dtype == np.float64 else 3)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, ">f8"])
def test_other_dtypes_take_the_plain_path(dtype):
    at = named("two-blocks-flat").astype(dtype)
    assert type(at.linearize()) is Linearization


def test_complex_parameters_pass_through_a_real_objective():
    at = named("two-blocks-flat")
    objective = ProximalObjective(at.loss, at.phi[0], at.x, at.y, 0.5)
    product = objective.linearize(at.phi).hvp(at.v)
    for ask in (objective.grad, lambda p: objective.linearize(p).grad):
        bend = complex_step(ask, at.phi, at.v)
        assert_allclose(product, bend, rtol=1e-11, atol=1e-13)


NAN, INF = float("nan"), float("inf")
PLACES = [
    "l0.kernel",
    "l1.gamma",
    "l1.beta",
    "l3.kernel",
    "l4.gamma",
    "l4.beta",
    "x",
    "v",
]


@pytest.mark.parametrize("bad", [NAN, INF], ids=str)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_finite_spreads_as_on_the_plain_path(place, bad):
    """But for b̄, which is zero; and only in its own task, and not to the next run."""
    at = named("two-blocks-flat", num_tasks=3).astype(np.float64)
    layout, want = at.loss.net.layout, values(at.linearize(), at.v)
    array = getattr(at, place, None) if place in "xv" else layout.unpack(at.phi)[place]
    good = array.copy()
    array[1].reshape(-1)[0] = bad
    bias = np.zeros(layout.size, bool)
    for name, part in layout.unpack(bias).items():
        part[...] = name.endswith("bias")
    with np.errstate(invalid="ignore", over="ignore"):
        got, reference = values(at.linearize(), at.v), values(at.plain(), at.v)
    if bad == INF:
        del reference["outputs"]  # −∞ through a ReLU: 0 here, 0 · ∞ there
    for what, expected in reference.items():
        found = got[what]
        if what in {"grad", "hvp", "gnvp"}:
            found, expected = found[:, ~bias], expected[:, ~bias]
        assert_array_equal(np.isfinite(found), np.isfinite(expected), err_msg=what)
        assert_array_equal(got[what][::2], want[what][::2], err_msg=what)
    array[...] = good
    assert_same_values(values(at.linearize(), at.v), want)


def test_nothing_but_the_plain_paths_warnings():
    at = named("two-blocks-flat").astype(np.float64)
    at.phi[0, 0] = NAN
    values(at.linearize(), at.v)  # pytest makes every warning an error
    at.phi[0, 0] = INF
    with pytest.warns(RuntimeWarning, match="invalid value"):
        at.linearize()
    with pytest.warns(RuntimeWarning, match="invalid value"):
        at.plain()


class Twice(Network):
    """A network of another meaning with the same layers."""

    def forward(self, phi, x):
        z, saved = super().forward(phi, x)
        return 2 * z, saved


class Weighted(TaskLoss):
    """A loss of another meaning."""

    def linearize(self, phi, x, y):
        lin = super().linearize(phi, x, y)
        lin.grad = 3 * lin.grad
        return lin


class Shifted(SoftmaxCrossEntropy):
    """Labels of another meaning."""

    def forward(self, z, y):
        return super().forward(z, (y + 1) % z.shape[-1])


class Own:
    """A user's loss with no base class."""

    def __init__(self):
        self.loss = SoftmaxCrossEntropy()

    def forward(self, z, y):
        return self.loss.forward(z, y)

    def grad(self, saved):
        return self.loss.grad(saved)

    def hvp(self, saved, z_dot):
        return self.loss.hvp(saved, z_dot)

    def accuracy(self, z, y):
        return self.loss.accuracy(z, y)


NET = COVERED["omniglot_cnn"]
OWN = {
    "network": TaskLoss(Twice(NET.layers, NET.input_shape), SoftmaxCrossEntropy()),
    "task loss": Weighted(NET, SoftmaxCrossEntropy()),
    "subclass of a loss": TaskLoss(NET, Shifted()),
    "loss": TaskLoss(NET, Own()),
}


@pytest.mark.parametrize("kind", OWN)
def test_what_a_user_wrote_keeps_its_meaning(kind):
    at = point(loss_of(NET))
    loss = type(OWN[kind])(OWN[kind].net, OWN[kind].loss)
    at = Point(loss, at.phi, at.x, at.y, at.v)
    objective = ProximalObjective(at.loss, at.phi[0], at.x, at.y, 0.5)
    got, want = values(at.linearize(), at.v), values(at.plain(), at.v)
    for what, array in want.items():
        assert digits(got[what], array) > 11, what
    pull = 0.5 * (at.phi - at.phi[0])
    for found in (objective.grad(at.phi), objective.linearize(at.phi).grad):
        assert digits(found, want["grad"] + pull) > 11


def test_no_examples_at_all_are_left_to_the_plain_path():
    at = named("two-blocks-flat")
    for x, y in ((at.x[:0], at.y[:0]), (at.x[:, :0], at.y[:, :0])):
        assert not x.size
        assert not isinstance(at.loss.on(at.phi[0], x, y), FusedExamples)
