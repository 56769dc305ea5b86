"""What tests on a card share: whether there is one, and the way there and back."""

from dataclasses import replace

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.compute.backend import to_device, to_host
from imaml_ref.kernels import device_stage
from tests.helpers.problems import make_problem


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
SOFTMAX = ir.SoftmaxCrossEntropy()
OMNIGLOT = ir.architectures.omniglot_cnn(5)
CONV4 = ir.architectures.conv4(5)


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


def paper(net=OMNIGLOT, num_tasks=16, shots=1):
    """Return the paper's settings on random images."""
    sizes = {"num_tasks": num_tasks, "support": 5 * shots, "query": 5 * shots}
    return make_problem(net, SOFTMAX, lam=2.0, step_size=0.1, **sizes)


def told(problem, stage, steps=16, **options):
    """Return the meta-gradients of a problem on the card and what is said of them."""
    settings = {"solver": ir.CG(maxiter=5)} | options
    with device_stage(stage):
        found = ir.implicit_gradient(
            problem.loss,
            problem.theta,
            problem.tasks,
            lam=problem.lam,
            inner=problem.descent(steps),
            keep=("phi", "task_grads"),
            **settings,
        )
    arrays = {name: fetched(getattr(found, name)) for name in ("grad", "phi")}
    return arrays | {"task_grads": fetched(found.task_grads)}, found.diagnostics


def digits_of_tasks(got, want):
    return np.array([digits(g, w) for g, w in zip(got, want, strict=True)])
