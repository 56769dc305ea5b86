"""What each conduct does where H + Λ is not positive definite."""

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.meta_gradients import task_mean
from imaml_ref.solvers import Status
from tests.helpers.meta_oracles import conjugate_gradients, dense_answer
from tests.helpers.problems import quadratic

BOTH = ("phi", "task_grads")


def saddles(*, lowest, num_tasks=5):
    """Quadratics, of which some have an eigenvector of H with eigenvalue ``lowest``.

    v is orthogonal to it but for one part in ten, so that CG does not meet it at once.
    """
    problem = quadratic(num_tasks=num_tasks, size=6)
    rng = np.random.default_rng(3)
    A, b = np.empty((num_tasks, 6, 6)), rng.normal(size=(num_tasks, 6))
    for t, low in enumerate(lowest):
        Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
        A[t] = Q * [low, 1, 2, 3, 4, 5] @ Q.T
        b[t] = Q @ [0.1, 1, -1, 1, 1, -1]
    zeros = np.zeros_like(A)
    tasks = ir.TaskBatch(A, b, zeros, -b)  # so that v = b wherever φ is
    return replace(problem, tasks=tasks, lam=0.5)


def at_theta(problem, **options):
    phi = np.tile(problem.theta, (len(problem.tasks), 1))
    return ir.implicit_gradient_at(
        problem.loss,
        problem.theta,
        phi,
        problem.tasks,
        lam=problem.lam,
        keep=BOTH,
        **options,
    )


REFUSING = ir.CG(maxiter=6, on_negative_curvature="refuse")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_refuse_names_the_first_such_task_of_all(threads, size, monkeypatch):
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: size)
    problem = saddles(lowest=(1, 1, 1, -2.5, -3.5))
    ir.set_num_threads(threads)
    try:
        with pytest.raises(ir.NotPositiveDefinite) as caught:
            at_theta(problem, solver=REFUSING)
    finally:
        ir.set_num_threads(None)
    message = str(caught.value)
    assert "H + λI is not positive definite for task 3: pᵀAp = -" in message
    assert "\n" not in message
    # The advice is an estimate from below of what would do: here λ > 2.5.
    (advice,) = re.findall(r"raise lam above ([\d.]+)", message)
    assert 0.5 < float(advice) < 2.5 + 1e-6
    assert isinstance(caught.value, ArithmeticError)


def test_refuse_counts_tasks_over_a_list_of_batches():
    problem = saddles(lowest=(1, 1, 1, 1, -2.5))
    batches = [problem.tasks[:2], problem.tasks[2:]]
    phi = np.tile(problem.theta, (5, 1))
    with pytest.raises(ir.NotPositiveDefinite, match="for task 4: "):
        ir.implicit_gradient_at(
            problem.loss, problem.theta, phi, batches, lam=0.5, solver=REFUSING
        )


def test_refuse_lets_definite_tasks_pass():
    problem = saddles(lowest=(-0.3, 1, 0, -0.4, 2))
    out = at_theta(problem, solver=REFUSING)
    g, _ = dense_answer(problem, np.tile(problem.theta, (5, 1)))
    assert digits(out.task_grads, g) > 10
    assert (out.diagnostics.negative_curvature == 0).all()


def test_refuse_says_what_holds_for_a_lam_per_parameter():
    problem = saddles(lowest=(-2.5, 1, 1, 1, 1)).per_parameter()
    with pytest.raises(
        ir.NotPositiveDefinite, match=r"task 0: .*raise lam by more than"
    ):
        at_theta(problem, solver=REFUSING)


def test_truncate_gives_the_iterate_before_negative_curvature():
    problem = saddles(lowest=(-2.5, 1, -0.9, -2000, -4))
    out = at_theta(problem, solver=ir.CG(maxiter=5, on_negative_curvature="truncate"))
    going_on = at_theta(problem, solver=ir.CG(maxiter=5))
    steps = []
    for t in range(5):
        A, v = problem.tasks.support_x[t], problem.tasks.support_y[t]
        iterates, curvatures = conjugate_gradients(A + 0.5 * np.eye(6), v, 5)
        negative = np.flatnonzero(np.array(curvatures) <= 0)
        stop = negative[0] if len(negative) else 5
        steps.append(stop)
        g = 0.5 * iterates[stop - 1] if stop else v
        assert_allclose(out.task_grads[t], g, rtol=1e-9)
        assert going_on.diagnostics.negative_curvature[t] == len(negative)
    assert 0 in steps
    assert 5 in steps
    assert {1, 2, 3, 4} & set(steps)
    truncated = np.array(steps) < 5
    assert_array_equal(out.diagnostics.status == Status.TRUNCATED, truncated)


def test_truncated_at_once_is_first_order():
    problem = saddles(lowest=(-9000,) * 5).per_parameter()
    out = at_theta(problem, solver=ir.CG(maxiter=5, on_negative_curvature="truncate"))
    assert_allclose(out.task_grads, problem.tasks.support_y, rtol=1e-14)
    assert_allclose(out.diagnostics.cosine, 1, rtol=1e-14)


def test_going_on_is_right_in_the_end_where_the_operator_is_indefinite():
    problem = saddles(lowest=(-2.5, -0.9, -30, -4, -6))
    out = at_theta(problem, solver=ir.CG(maxiter=6))
    g, _ = dense_answer(problem, np.tile(problem.theta, (5, 1)))
    assert digits(out.task_grads, g) > 9
    assert (out.diagnostics.negative_curvature > 0).all()
    minres = at_theta(problem, solver=ir.MINRES(rtol=1e-13))
    assert digits(minres.task_grads, g) > 9
