"""An interval of a training on a device that ends before its last step."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.training.loop import Diverged
from tests.machines.double import device_double
from tests.machines.on_double import assert_same_rows, assert_same_state, curves, images


@pytest.fixture
def device():
    with ir.plain_path(), device_double() as device:
        yield device


@dataclass(frozen=True)
class Refusing:
    """Gradient descent that looks at once, and refuses the k-th time."""

    calls: Any
    last: int

    def solve(self, objective, theta, start=None):
        self.calls.append(1)
        if len(self.calls) == self.last:
            raise ir.InnerDivergence("I have looked", task=0)
        return ir.GradientDescent(0.05, 2).solve(objective, theta, start)


def refused(training, theta, **changes):
    """Train with steps that refuse the sixth; return the rows and the error."""
    rows = []
    algorithm = replace(training.algorithm, inner=Refusing([], 6))
    settings = {"optimizer": ir.Adam(1e-2), "meta_batch": 2, "log_interval": 10}
    settings |= {"observe": lambda _, row: rows.append(row)} | changes
    with np.errstate(all="ignore"), pytest.raises(Diverged) as caught:
        ir.meta_train(algorithm, theta, training.source, meta_steps=9, **settings)
    return rows, caught.value


@pytest.fixture
def one_thread():
    ir.set_num_threads(1)
    yield
    ir.set_num_threads(None)


def test_an_error_that_comes_at_once_comes_after_the_steps_before_it(
    device, one_thread
):
    training = images()
    rows, error = refused(training, training.theta)
    found, caught = refused(training, to_device(training.theta))
    assert [row["step"] for row in found] == [1, 2, 3, 4, 5]
    assert str(caught) == str(error)
    assert_same_state(caught.state, error.state)
    assert_same_rows(found, rows)


class Breaking:
    """An optimiser whose second θ is not a number."""

    def init(self, theta):
        return {"count": np.zeros(())}

    def step(self, theta, grad, state):
        count = state["count"] + 1
        return theta * (np.nan if count == 2 else 1), {"count": count}


def test_an_error_that_comes_at_once_hides_none_before_it(device, one_thread):
    training = curves()
    theta = to_device(training.theta)
    rows, error = refused(training, theta, optimizer=Breaking())
    assert [row["step"] for row in rows] == [1]
    assert "meta-step 2: the next θ is not finite" in str(error)
    assert np.isfinite(error.state.theta.get()).all()


@pytest.mark.parametrize("interval", [1, 4, 50])
def test_who_asks_to_stop_waits_for_a_step_and_loses_none(device, interval):
    training, made, rows = curves(), [], []

    class Counted(ir.Adam):
        def step(self, *args):
            made.append(1)
            return super().step(*args)

    got, _ = training.train(
        to_device(training.theta),
        steps=20,
        optimizer=Counted(1e-2),
        validation_interval=0,
        log_interval=interval,
        observe=lambda _, row: rows.append(row["step"]),
        asked=lambda: len(made) >= 6,
    )
    assert rows == [1, 2, 3, 4, 5, 6]
    assert_same_state(got, training.train(steps=6, validation_interval=0)[0])


def test_who_has_asked_to_stop_before_gets_one_step(device):
    training, rows = curves(), []
    training.train(
        to_device(training.theta),
        steps=20,
        log_interval=4,
        observe=lambda _, row: rows.append(row["step"]),
        asked=lambda: True,
    )
    assert rows == [1]
