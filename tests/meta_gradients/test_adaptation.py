"""The inner loop alone, from θ and support sets to φ."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.meta_gradients import task_mean
from tests.helpers.meta_oracles import newton
from tests.helpers.problems import curved, quadratic, ridge


def adapt(problem, **options):
    tasks = problem.tasks
    return ir.adapt(
        problem.loss, problem.theta, tasks.support_x, tasks.support_y, **options
    )


@pytest.mark.parametrize("per_parameter", [False, True])
def test_it_solves_the_inner_problem(per_parameter):
    problem = ridge().per_parameter() if per_parameter else ridge()
    phi = adapt(problem, lam=problem.lam, inner=ir.NewtonCG(3, 20))
    assert digits(phi, newton(problem, 1)) > 12


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_solve_in_any_chunks_and_threads(size, threads, monkeypatch):
    problem = curved()
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: size)
    ir.set_num_threads(threads)
    try:
        phi = adapt(problem, lam=problem.lam, inner=problem.descent(6))
    finally:
        ir.set_num_threads(None)
    want = problem.descent(6).solve(problem.objective(), problem.theta)
    assert_array_equal(phi, want)


def test_without_lam_there_is_no_proximal_term():
    problem = curved()
    tasks, phi = problem.tasks, np.tile(problem.theta, (3, 1))
    for _ in range(4):
        support = problem.loss.linearize(phi, tasks.support_x, tasks.support_y)
        phi = phi - 0.3 * support.grad
    got = adapt(problem, lam=None, inner=problem.descent(4))
    assert_allclose(got, phi, rtol=1e-13)
    assert digits(got, adapt(problem, lam=2.0, inner=problem.descent(4))) < 2


def test_the_defaults_are_the_papers():
    problem = curved()
    want = adapt(problem, lam=2.0, inner=ir.GradientDescent(0.1, 16))
    assert_array_equal(adapt(problem), want)


def test_a_function_of_the_users_adapts():
    problem = ridge()

    def halfway(objective, theta, start=None):
        return np.full((len(objective), len(theta)), 0.5) * objective.lam

    assert_array_equal(adapt(problem, lam=0.5, inner=halfway), np.full((3, 14), 0.25))


def test_it_keeps_float32():
    problem = curved().astype(np.float32)
    assert adapt(problem, lam=np.float64(1.5)).dtype == np.float32


def test_targets_of_another_dtype_are_refused_not_cast():
    problem = ridge()
    theta, x = problem.theta.astype(np.float32), problem.tasks.support_x
    message = "targets must have the real dtype of φ, float32, got float64"
    with pytest.raises(TypeError, match=message):
        ir.adapt(problem.loss, theta, x.astype(np.float32), problem.tasks.support_y)
    with pytest.raises(TypeError, match="x must have the real dtype of φ, float32"):
        ir.adapt(problem.loss, theta, x, problem.tasks.support_y)


@pytest.mark.parametrize("lam", [0, -1.0, np.nan, np.inf])
def test_a_lam_that_is_not_positive_is_refused(lam):
    with pytest.raises(ValueError, match="lam must be positive and finite"):
        adapt(curved(), lam=lam)


def test_divergence_names_the_task_of_all(monkeypatch):
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: 2)
    problem = quadratic()
    A = 0.1 * problem.tasks.support_x
    A[3] *= 1000
    with pytest.raises(ir.InnerDivergence, match=r"^task 3: ") as caught:
        ir.adapt(problem.loss, problem.theta, A, problem.tasks.support_y)
    assert caught.value.task == 3
