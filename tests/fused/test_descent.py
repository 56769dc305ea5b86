"""Steps in the place of φ are the steps of gradient descent."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import complex_step, digits
from imaml_ref.fused import plain_path
from imaml_ref.inner.base import InnerDivergence
from imaml_ref.meta_gradients.objective import ProximalObjective
from imaml_ref.networks.losses import SquaredError
from tests.helpers.fused_nets import COVERED
from tests.helpers.fused_points import elsewhere, named, needs_fused

pytestmark = needs_fused

STRENGTHS = {
    "number": lambda size: 0.5,
    "none": lambda size: 0,
    "per parameter": lambda size: np.random.default_rng(3).uniform(0.2, 2, size),
}


def objective_of(at, lam=0.5):
    return ProximalObjective(at.loss, at.phi[0], at.x, at.y, lam)


@pytest.fixture(params=STRENGTHS.values(), ids=STRENGTHS.keys())
def lam(request):
    return request.param


def descent(num_steps=6):
    return ir.GradientDescent(0.07, num_steps)


@pytest.mark.parametrize("start", ["from theta", "from elsewhere"])
@pytest.mark.parametrize("name", COVERED)
def test_the_steps_are_those_of_the_plain_path(name, start, lam):
    at = named(name)
    lam = lam(len(at.phi[0]))
    phi_0 = elsewhere(at) if start == "from elsewhere" else None
    got = descent().solve(objective_of(at, lam), at.phi[0], phi_0)
    with plain_path():
        want = descent().solve(objective_of(at, lam), at.phi[0], phi_0)
    for parameter, array in at.loss.net.layout.unpack(want).items():
        found = at.loss.net.layout.unpack(got)[parameter]
        assert digits(found, array) > 10, parameter


def test_another_loss_is_asked_as_it_is():
    at = named("two-blocks-flat", SquaredError())
    got = descent().solve(objective_of(at), at.phi[0], elsewhere(at))
    with plain_path():
        want = descent().solve(objective_of(at), at.phi[0], elsewhere(at))
    assert digits(got, want) > 10


def test_they_are_the_iterates():
    at = named("two-blocks-flat")
    *_, last = descent().iterates(objective_of(at), at.phi[0], elsewhere(at))
    got = descent().solve(objective_of(at), at.phi[0], elsewhere(at))
    assert digits(got, last) > 14


@pytest.mark.parametrize("num_steps", [0, 1, 3])
def test_what_comes_after_them_is_as_if_they_had_not_been(num_steps):
    at = named("omniglot_cnn")
    objective, phi, theta = objective_of(at), elsewhere(at), at.phi[0]
    lin = objective.linearize(at.phi)
    want = objective.grad(at.phi), lin.hvp(at.v), lin.support.gnvp(at.v)
    reached = descent(num_steps).solve(objective, theta, phi)
    kept = reached.copy()
    assert_array_equal(lin.hvp(at.v), want[1])
    descent(num_steps).solve(objective, theta, phi)
    assert_array_equal(lin.support.gnvp(at.v), want[2])
    descent(num_steps).solve(objective, theta, phi)
    assert_array_equal(objective.grad(at.phi), want[0])
    assert_array_equal(objective.linearize(at.phi).grad, lin.grad)
    assert_array_equal(reached, kept)
    assert_array_equal(phi, elsewhere(at))


def test_a_task_takes_the_same_steps_alone():
    at = named("omniglot_cnn", num_tasks=3).astype(np.float32)
    theta = at.phi[0]
    objective = objective_of(at)
    together = descent().solve(objective, theta, at.phi)
    for t in range(3):
        alone = descent().solve(objective.task(t), theta, at.phi[t : t + 1])
        assert_array_equal(alone, together[t : t + 1])


def test_they_run_away_in_the_same_words():
    at = named("omniglot_cnn")
    wild = ir.GradientDescent(1e9, 5)
    with np.errstate(all="ignore"):
        with pytest.raises(InnerDivergence) as got:
            wild.solve(objective_of(at), at.phi[0])
        with plain_path(), pytest.raises(InnerDivergence) as want:
            wild.solve(objective_of(at), at.phi[0])
    assert (got.value.step, got.value.task) == (want.value.step, want.value.task)
    assert str(got.value) == str(want.value)


def test_after_running_away_all_is_well():
    at = named("omniglot_cnn")
    want = descent().solve(objective_of(at), at.phi[0])
    objective, bad = objective_of(at), at.phi.copy()
    bad[0] = np.nan
    with np.errstate(all="ignore"), pytest.raises(InnerDivergence):
        descent().solve(objective, at.phi[0], bad)
    assert_array_equal(descent().solve(objective, at.phi[0]), want)


def test_the_complex_step_of_the_steps_is_exact():
    at = named("two-blocks-flat")
    v = at.v[0]

    def reached(theta):
        objective = ProximalObjective(at.loss, theta, at.x, at.y, 0.5)
        return descent(2).solve(objective, theta)

    slope = complex_step(reached, at.phi[0], v)
    difference = reached(at.phi[0] + 1e-6 * v) - reached(at.phi[0] - 1e-6 * v)
    assert digits(difference / 2e-6, slope) > 6


@dataclass(frozen=True)
class Halved(ProximalObjective):
    """A user's objective with another gradient."""

    def grad(self, phi):
        return super().grad(phi) / 2


@dataclass(frozen=True)
class Few(ir.GradientDescent):
    """A user's optimiser with other iterates."""

    def iterates(self, objective, theta, start=None):
        yield from list(super().iterates(objective, theta, start))[:3]


def test_what_a_user_wrote_keeps_its_steps():
    at = named("two-blocks-flat")
    theta = at.phi[0]
    halved = Halved(at.loss, theta, at.x, at.y, 0.5)
    for inner, objective in ((descent(), halved), (Few(0.07, 6), objective_of(at))):
        *_, want = inner.iterates(objective, theta)
        assert digits(inner.solve(objective, theta), want) > 11
