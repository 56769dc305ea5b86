"""On a card: stages compute what the plain path does, with the same bits each time."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.compute.backend import to_device
from imaml_ref.fused import plain_path
from imaml_ref.kernels import DeviceLinearization, device_stage
from imaml_ref.kernels.pieces import covers
from imaml_ref.kernels.stage import STAGES as NAMES
from tests.helpers.fused_nets import COVERED as NETS
from tests.helpers.fused_points import loss_of, point, values
from tests.machines.gpu_card import (
    CONV4,
    OMNIGLOT,
    digits_of_tasks,
    fetched,
    needing_card,
    paper,
    put,
    told,
)

ROUNDED = [s for s in NAMES if s.endswith("-tf32")]
STAGES = [s for s in NAMES if s not in ("plain", *ROUNDED)]
COVERED = [name for name, net in NETS.items() if covers(net)]


@cache
def on_host(num_tasks):
    """Return the meta-gradients of ``paper`` in float64, by the layers alone."""
    problem = paper(num_tasks=num_tasks)
    with plain_path():
        return ir.implicit_gradient(
            problem.loss,
            problem.theta,
            problem.tasks,
            lam=problem.lam,
            inner=problem.descent(16),
            solver=ir.CG(maxiter=5),
            keep="task_grads",
        ).task_grads


@needing_card
@pytest.mark.parametrize("stage", ["plain", *STAGES])
def test_in_float64_all_digits_are_those_of_the_host(stage):
    found, _ = told(put(paper(num_tasks=16)), stage)
    assert digits_of_tasks(found["task_grads"], on_host(16)).min() >= 11


@needing_card
@pytest.mark.parametrize("stage", ["plain", *STAGES])
def test_in_float32_the_digits_are_those_that_float32_has(stage):
    found, _ = told(put(paper(num_tasks=32).astype(np.float32)), stage)
    per_task = digits_of_tasks(found["task_grads"], on_host(32))
    assert found["grad"].dtype == np.float32
    assert np.median(per_task) >= 5
    assert (per_task >= 4).mean() >= 0.9


@needing_card
@pytest.mark.parametrize("stage", NAMES)
def test_a_gradient_has_the_digits_of_its_products(stage):
    problem = paper(num_tasks=16).astype(np.float32)
    here, wide = put(problem), problem.astype(np.float64)
    with device_stage(stage):
        got = fetched(gradient(here))
    with plain_path():
        found = np.median(digits_of_tasks(got, gradient(wide)))
    # Three digits, or seven; never fewer, and in TF32 never more.
    assert 2 < found < 4.5 if stage in ROUNDED else found >= 5


def gradient(problem):
    """Return ∇L at θ for each task."""
    tasks, theta = problem.tasks, problem.theta
    phi = theta + 0 * tasks.support_x.reshape(len(tasks), -1)[:, :1]
    return problem.loss.linearize(phi, tasks.support_x, tasks.support_y).grad


CHANGES = {
    "a lam per parameter": (lambda p: p.per_parameter(), {}),
    "gauss-newton": (lambda p: p, {"curvature": "gauss-newton"}),
    "gauss-newton, to a tolerance": (
        lambda p: p,
        {"curvature": "gauss-newton", "solver": ir.CG(maxiter=60, rtol=1e-9)},
    ),
    "truncated": (
        lambda p: p,
        {"solver": ir.CG(maxiter=8, on_negative_curvature="truncate")},
    ),
    "another solver": (lambda p: p, {"solver": ir.MINRES(maxiter=6)}),
}


@needing_card
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("net", [OMNIGLOT, CONV4], ids=["omniglot_cnn", "conv4"])
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_is_asked_a_stage_says_what_the_plain_one_says(stage, net, change):
    make, options = CHANGES[change]
    problem = put(make(paper(net, num_tasks=3)))
    want, of_plain = told(problem, "plain", steps=3, **options)
    got, of_stage = told(problem, stage, steps=3, **options)
    for name, array in want.items():
        assert digits(got[name], array) >= 10, name
    for name in ("status", "num_products", "negative_curvature"):
        assert_array_equal(getattr(of_stage, name), getattr(of_plain, name), name)
    for name in ("inner_residual", "smallest_ritz", "query_loss", "support_loss"):
        pair = getattr(of_stage, name), getattr(of_plain, name)
        assert_allclose(*pair, rtol=1e-7, err_msg=name)
    assert_array_equal(of_stage.query_accuracy, of_plain.query_accuracy)


@needing_card
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", COVERED)
def test_a_linearisation_says_what_the_plain_one_says(name, stage):
    at = point(loss_of(NETS[name]), num_tasks=5, num_examples=3)
    here = [to_device(a) for a in (at.phi, at.x, at.y)]
    with device_stage(stage):
        for _ in range(3):  # launches, then a recording, then its replay
            lin = at.loss.linearize(*here)
            got = fetched(values(lin, to_device(at.v)))
    assert isinstance(lin, DeviceLinearization)
    for what, array in values(at.plain(), at.v).items():
        assert digits_of_tasks(got[what], array).min() >= 11, what


@needing_card
@pytest.mark.parametrize("shots", [1, 5])
def test_graphs_have_the_bits_of_kernels_and_these_the_same_each_time(shots):
    problem = put(paper(shots=shots).astype(np.float32))
    want, _ = told(problem, "kernels")
    for stage in ("kernels", "graphs", "graphs", "graphs"):
        for name, array in told(problem, stage)[0].items():
            assert_array_equal(array, want[name], f"{name}, {stage}")
