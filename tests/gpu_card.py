"""What tests on a card share: whether there is one, and the way there and back."""

from dataclasses import replace

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.backend import to_device, to_host


def absent():
    """Return why there is no card, or an empty text."""
    try:
        to_device(np.zeros(1))
    except RuntimeError as error:
        return str(error).partition(";")[0]
    return ""


def needing_card(test):
    """Mark a test, or a class of them, that needs a card."""
    return pytest.mark.gpu(pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)(test))


WHY_NOT = absent()


def put(problem):
    """Return a problem of ``problems`` with its arrays on the card."""
    tasks = problem.tasks
    names = "support_x", "support_y", "query_x", "query_y"
    batch = ir.TaskBatch(*(to_device(getattr(tasks, name)) for name in names))
    lam = to_device(problem.lam) if np.ndim(problem.lam) else problem.lam
    return replace(problem, theta=to_device(problem.theta), tasks=batch, lam=lam)


def fetched(found):
    """Return a value, or those of a dict, on the host."""
    if isinstance(found, dict):
        return {name: fetched(value) for name, value in found.items()}
    return to_host(found) if hasattr(found, "get") else found
