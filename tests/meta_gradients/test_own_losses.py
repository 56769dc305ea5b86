"""Losses and objectives of one's own: what they say is asked, whatever they inherit."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.inner import norm
from imaml_ref.meta_gradients import ProximalObjective

DECAY = 0.3
RNG = np.random.default_rng(3)
NET = ir.architectures.mlp((4,), (5,), 3)
THETA = NET.init(RNG, dtype=np.float64)
PHI = THETA + RNG.normal(size=(2, THETA.size))
X, Y = RNG.normal(size=(2, 6, 4)), RNG.integers(0, 3, (2, 6))
PLAIN = ir.TaskLoss(NET, ir.SoftmaxCrossEntropy())


def decay(phi):
    return DECAY / 2 * (phi * phi).sum(-1)


class Decayed:
    """A linearisation with weight decay."""

    def __init__(self, at, phi):
        self.at, self.value, self.grad = (
            at,
            at.value + decay(phi),
            at.grad + DECAY * phi,
        )

    def hvp(self, v):
        return self.at.hvp(v) + DECAY * v


class Both(ir.TaskLoss):
    def linearize(self, phi, x, y):
        return Decayed(super().linearize(phi, x, y), phi)

    def value(self, phi, x, y):
        return super().value(phi, x, y) + decay(phi)


class FromValue(Both):
    def linearize(self, phi, x, y):
        found = super().linearize(phi, x, y)
        found.value = self.value(phi, x, y)
        return found


class OnlyValue(ir.TaskLoss):
    def value(self, phi, x, y):
        return super().value(phi, x, y) + decay(phi)


@pytest.mark.parametrize("kind", [Both, FromValue])
def test_a_subclass_with_linearize_and_value_counts_what_it_adds_once(kind):
    loss = kind(NET, ir.SoftmaxCrossEntropy())
    want = PLAIN.value(PHI, X, Y) + decay(PHI)
    assert_allclose(loss.value(PHI, X, Y), want, rtol=1e-14)
    assert_allclose(loss.linearize(PHI, X, Y).value, want, rtol=1e-14)
    objective = ProximalObjective(loss, THETA, X, Y, 2.0)
    pull = ((PHI - THETA) ** 2).sum(-1)
    assert_allclose(objective.value(PHI), want + pull, rtol=1e-14)
    assert_allclose(objective.linearize(PHI).value, want + pull, rtol=1e-14)


def test_a_value_of_ones_own_is_asked_in_line_searches():
    objective = ProximalObjective(OnlyValue(NET, PLAIN.loss), THETA, X, Y, 2.0)
    pull = ((PHI - THETA) ** 2).sum(-1)
    want = PLAIN.value(PHI, X, Y) + decay(PHI) + pull
    assert_allclose(objective.value(PHI), want, rtol=1e-14)


def test_a_subclass_refuses_what_is_no_array_too():
    with pytest.raises(TypeError, match="x must be a NumPy or CuPy array"):
        Both(NET, PLAIN.loss).on(THETA, [1.0], Y)


class Forwarding:
    """An objective around another, with a gradient of its own."""

    def __init__(self, objective):
        self.objective = objective

    def __getattr__(self, name):
        return getattr(self.objective, name)

    def __len__(self):
        return len(self.objective)

    def grad(self, phi):
        return self.objective.grad(phi) + DECAY * phi


@dataclass
class Bare:
    """An objective as CONTRIBUTING says, and no more: ½ ‖φ − c‖²."""

    centre: np.ndarray

    def __len__(self):
        return len(self.centre)

    def grad(self, phi):
        return phi - self.centre

    def value(self, phi):
        return (self.grad(phi) ** 2).sum(-1) / 2

    def linearize(self, phi):
        raise NotImplementedError


def test_gradient_descent_takes_the_gradient_of_the_objective_that_it_is_given():
    objective = Forwarding(ProximalObjective(PLAIN, THETA, X, Y, 2.0))
    phi = np.stack([THETA] * 2)
    for _ in range(3):
        phi = phi - 0.1 * objective.grad(phi)
    found = ir.GradientDescent(step_size=0.1, num_steps=3).solve(objective, THETA)
    assert_allclose(found, phi, rtol=1e-14)


def test_gradient_descent_needs_no_more_of_an_objective_than_its_gradient():
    centre = RNG.normal(size=(3, 4))
    inner = ir.GradientDescent(step_size=0.5, num_steps=2)
    assert_allclose(inner.solve(Bare(centre), np.zeros(4)), 0.75 * centre, rtol=1e-14)


def test_a_subclass_that_gives_a_setting_another_default_keeps_its_check():
    @dataclass(frozen=True)
    class Bold(ir.GradientDescent):
        step_size: float = 0.5

    assert Bold().step_size == 0.5
    assert type(Bold(np.float32(0.25)).step_size) is float
    with pytest.raises(ValueError, match="step_size must be a finite number > 0"):
        Bold(-1)


def test_the_norms_of_no_tasks_are_none():
    assert norm(np.zeros((0, 3))).shape == (0,)
