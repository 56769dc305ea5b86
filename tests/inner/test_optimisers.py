"""Inner optimisers against closed forms, plain recursions, and one another."""

import math
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import complex_step, digits
from imaml_ref.inner import norm, solve
from tests.helpers.meta_oracles import dense_answer, newton, ridge_answer
from tests.helpers.problems import quadratic, ridge, softmax_regression

SOLVERS = {
    "gd": ir.GradientDescent(step_size=0.9, num_steps=120),
    "momentum": ir.Momentum(step_size=0.5, num_steps=300, momentum=0.6),
    "adam": ir.InnerAdam(step_size=0.2, num_steps=1000, decay=1e-3),
    "lbfgs": ir.LBFGS(maxiter=200, tol=1e-11),
    "newton-cg": ir.NewtonCG(num_steps=12, cg_steps=28),
}


@pytest.fixture(params=SOLVERS.values(), ids=SOLVERS.keys())
def inner(request):
    return request.param


@cache
def regression(per_parameter=False):
    """The strongly convex problem and its φ*, by dense Newton steps."""
    problem = softmax_regression()
    problem = problem.per_parameter() if per_parameter else problem
    return problem, newton(problem, steps=12)


@pytest.mark.parametrize("per_parameter", [False, True])
def test_all_reach_one_solution_hence_one_meta_gradient(inner, per_parameter):
    """Strongly convex: 8 digits, and the solution is that of dense Newton steps."""
    problem, phi = regression(per_parameter)
    out = ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        inner=inner,
        solver=ir.Dense(),
        keep=("phi", "task_grads"),
    )
    assert digits(out.phi, phi) > 8
    assert digits(out.task_grads, dense_answer(problem, phi)[0]) > 8


def test_all_solve_ridge_regression(inner):
    problem = ridge()
    if isinstance(inner, ir.GradientDescent | ir.Momentum):
        inner = type(inner)(0.2, 400)
    phi = inner.solve(problem.objective(), problem.theta)
    assert digits(phi, ridge_answer(problem)[0]) > 8


@pytest.mark.parametrize("num_steps", [0, 1, 2, 7])
@pytest.mark.parametrize("started", [False, True])
def test_descent_on_a_quadratic_is_a_polynomial(num_steps, started):
    """φ_K = φ* + (I − α(A + Λ))ᴷ (φ_0 − φ*), wherever it starts."""
    problem = quadratic().per_parameter()
    start = np.random.default_rng(2).normal(size=(4, 5)) if started else None
    phi = problem.descent(num_steps).solve(problem.objective(), problem.theta, start)
    for t in range(4):
        A = problem.tasks.support_x[t] + np.diag(problem.lam)
        star = np.linalg.solve(
            A, problem.tasks.support_y[t] + problem.lam * problem.theta
        )
        first = problem.theta if start is None else start[t]
        power = np.linalg.matrix_power(np.eye(5) - problem.step_size * A, num_steps)
        assert_allclose(phi[t], star + power @ (first - star), rtol=1e-10)


def gradients(problem):
    """Return ∇G of one task as a function of a list, in plain Python."""
    A, b = problem.tasks.support_x.tolist(), problem.tasks.support_y.tolist()
    theta, lam = problem.theta.tolist(), np.broadcast_to(problem.lam, 5).tolist()

    def gradient(t, phi):
        return [
            sum(A[t][i][j] * phi[j] for j in range(5))
            - b[t][i]
            + lam[i] * (phi[i] - theta[i])
            for i in range(5)
        ]

    return gradient


@pytest.mark.parametrize("started", [False, True])
def test_momentum_is_its_recursion(started):
    problem = quadratic().per_parameter()
    gradient = gradients(problem)
    start = np.random.default_rng(2).normal(size=(4, 5)) if started else None
    inner = ir.Momentum(step_size=0.02, num_steps=9, momentum=0.7)
    got = inner.solve(problem.objective(), problem.theta, start)
    for t in range(4):
        phi, u = list(problem.theta if start is None else start[t]), [0.0] * 5
        for _ in range(9):
            u = [0.7 * a + g for a, g in zip(u, gradient(t, phi), strict=True)]
            phi = [p - 0.02 * a for p, a in zip(phi, u, strict=True)]
        assert_allclose(got[t], phi, rtol=1e-12)


@pytest.mark.parametrize("decay", [1.0, 0.01])
def test_adam_is_its_recursion(decay):
    """Kingma & Ba, algorithm 1, one coordinate of one task at a time."""
    problem = quadratic()
    gradient = gradients(problem)
    inner = ir.InnerAdam(step_size=0.05, num_steps=9, decay=decay, eps=0.3)
    got = inner.solve(problem.objective(), problem.theta)
    for t in range(4):
        phi, m, s = list(problem.theta), [0.0] * 5, [0.0] * 5
        for k in range(9):
            rate = 0.05 * decay ** (k / 8)
            for i, g in enumerate(gradient(t, phi)):
                m[i] = 0.9 * m[i] + 0.1 * g
                s[i] = 0.999 * s[i] + 0.001 * g * g
                m_hat = m[i] / (1 - 0.9 ** (k + 1))
                s_hat = s[i] / (1 - 0.999 ** (k + 1))
                phi[i] -= rate * m_hat / (math.sqrt(s_hat) + 0.3)
        assert_allclose(got[t], phi, rtol=1e-11)


def test_adam_of_one_step_ends_at_the_full_step():
    problem = quadratic()
    phi = ir.InnerAdam(0.05, 1, decay=0.1).solve(problem.objective(), problem.theta)
    assert_allclose(np.abs(phi - problem.theta), 0.05, rtol=1e-6)


def test_anchor_start_and_solution_are_three_things(inner):
    problem, star = regression()
    start = np.random.default_rng(3).normal(size=(3, 28))
    before = start.copy(), problem.theta.copy()
    phi = inner.solve(problem.objective(), problem.theta, start)
    assert digits(phi, star) > 8
    assert_array_equal(start, before[0])
    assert_array_equal(problem.theta, before[1])
    assert not np.shares_memory(phi, problem.theta)


def test_a_start_at_the_solution_stays_there(inner):
    for problem, star in (regression(), regression(per_parameter=True)):
        phi = inner.solve(problem.objective(), problem.theta, star)
        assert digits(phi, star) > 7


def test_descent_is_complex_safe():
    """dφ_K/dθ v by the complex step: the product of K exact Jacobians."""
    problem = quadratic()
    v = np.random.default_rng(0).normal(size=5)
    x, y = problem.tasks.support_x, problem.tasks.support_y

    def solution(theta):
        objective = ir.ProximalObjective(problem.loss, theta, x, y, problem.lam)
        return problem.descent(6).solve(objective, theta)

    slope = complex_step(solution, problem.theta, v)
    for t in range(4):
        moved = v
        for _ in range(6):
            moved = moved - (x[t] @ moved + 0.75 * (moved - v)) / 16
        assert_allclose(slope[t], moved, rtol=1e-13)


def test_the_norm_of_a_complex_step_is_that_of_its_real_part():
    norms = norm(np.array([[3 + 1e-3j, 4], [5j, 1]]))
    assert norms.dtype == np.float64
    assert_array_equal(norms, [5, 1])


def test_a_function_is_an_inner_optimiser_too():
    problem = ridge()
    want = problem.descent(5).solve(problem.objective(), problem.theta)
    got = solve(problem.descent(5).solve, problem.objective(), problem.theta)
    assert_array_equal(got, want)
