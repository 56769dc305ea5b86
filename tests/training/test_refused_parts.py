"""Parts that do not fit a training, an evaluation or a check are refused by name."""

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref import conformance
from imaml_ref.data import Sinusoids
from tests.helpers.problems import curved

PROBLEM = curved()
LOSS, THETA, TASKS = PROBLEM.loss, PROBLEM.theta, PROBLEM.tasks
IMAML = ir.IMAML(LOSS)


class Generous(Sinusoids):
    """A source that returns one task more than it is asked for."""

    def sample(self, split, *, num_tasks, **where):
        return super().sample(split, num_tasks=num_tasks + 1, **where)


class Unclean(Sinusoids):
    """A source whose second task has a query that is infinite."""

    def sample(self, split, **where):
        tasks = super().sample(split, **where)
        tasks.query_x[1, 0] = np.inf
        return tasks


def trained(algorithm=IMAML, source=None):
    source = source or Sinusoids()
    return ir.meta_train(algorithm, THETA, source, optimizer=ir.SGD(), meta_steps=1)


REFUSED = {
    "evaluated on too many tasks": (
        lambda: ir.evaluate(IMAML, THETA, Generous(), num_tasks=2),
        "Generous.sample must return num_tasks = 2 tasks, got 3",
    ),
    "trained on too many tasks": (
        lambda: trained(source=Generous()),
        "Generous.sample must return num_tasks = 32 tasks, got 33",
    ),
    "evaluated on infinity": (
        lambda: ir.evaluate(IMAML, THETA, Unclean(), num_tasks=2),
        r"query_x of task 1 is inf at \(1, 0, 0\); clean the data",
    ),
    "a loss and a network that are swapped": (
        lambda: ir.TaskLoss(LOSS.loss, LOSS.net),
        r"net must be an object with vjp\(\), such as architectures.mlp\(\), got",
    ),
    "an algorithm that is a class": (
        lambda: trained(ir.IMAML),
        r"algorithm must be an object with .* IMAML\(loss\), got <class",
    ),
    "trained on a function": (
        lambda: trained(source=lambda: TASKS),
        r"source must be an object with sample\(\)",
    ),
    "a class to be judged": (
        lambda: conformance.check(ir.IMAML),
        r"must be an object, got the class IMAML; give IMAML\(\)",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_part_that_does_not_fit(make, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
