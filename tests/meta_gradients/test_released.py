"""The released code's inner loop and operator, which are not the paper's."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from tests.helpers.meta_oracles import dense_answer, hessian
from tests.helpers.problems import curved, kinked, quadratic

PROBLEMS = {"curved": curved(), "kinked": kinked()}


@pytest.fixture(params=PROBLEMS.values(), ids=PROBLEMS.keys())
def problem(request):
    return request.param


def pulled_back(problem, num_steps, start):
    """Return φ by plain steps on L alone and one step towards θ at the end."""
    tasks, alpha = problem.tasks, problem.step_size
    phi = start
    for _ in range(num_steps):
        support = problem.loss.linearize(phi, tasks.support_x, tasks.support_y)
        phi = phi - alpha * support.grad
    return phi - alpha * problem.lam * (phi - problem.theta)


@pytest.mark.parametrize("num_steps", [0, 1, 7])
@pytest.mark.parametrize("started", [False, True])
def test_the_inner_loop_pulls_back_once(problem, num_steps, started):
    start = np.tile(problem.theta, (3, 1))
    if started:
        start = start + np.random.default_rng(0).normal(size=start.shape)
    inner = ir.PullBackDescent(problem.step_size, num_steps)
    got = inner.solve(problem.objective(), problem.theta, start if started else None)
    assert_allclose(got, pulled_back(problem, num_steps, start), rtol=1e-12)
    if num_steps > 1:
        proximal = problem.descent(num_steps).solve(
            problem.objective(), problem.theta, start
        )
        assert digits(got, proximal) < 1.5


def test_the_inner_loop_takes_a_lam_per_parameter():
    problem = curved().per_parameter()
    got = ir.PullBackDescent(0.3, 4).solve(problem.objective(), problem.theta)
    want = pulled_back(problem, 4, np.tile(problem.theta, (3, 1)))
    assert_allclose(got, want, rtol=1e-12)


def released(problem, **options):
    inner = ir.PullBackDescent(problem.step_size, 5)
    algorithm = ir.ReleasedIMAML(problem.loss, problem.lam, inner, **options)
    return algorithm(problem.theta, problem.tasks)


@pytest.mark.parametrize(("c", "d"), [(1.0, 10.0), (0.0, 0.0), (0.25, 3.0)])
def test_the_operator_is_the_dense_one(problem, c, d):
    """((1 + c) I + H/(λ + d)) g = v, at the φ of the released loop."""
    phi = pulled_back(problem, 5, np.tile(problem.theta, (3, 1)))
    tasks = problem.tasks
    H = hessian(problem.loss, phi, tasks.support_x, tasks.support_y)
    v = problem.loss.linearize(phi, tasks.query_x, tasks.query_y).grad
    A = (1 + c) * np.eye(problem.theta.size) + H / (problem.lam + d)
    g = np.linalg.solve(A, v[..., None])[..., 0]
    out = released(problem, cg_steps=problem.theta.size, c=c, d=d)
    assert digits(out.grad, g.mean(0)) > 10
    papers = dense_answer(problem, phi)[0].mean(0)
    assert (digits(out.grad, papers) > 10) == ((c, d) == (0.0, 0.0))


def test_the_defaults_are_the_released_ones():
    loss, inner = curved().loss, ir.PullBackDescent(step_size=0.1, num_steps=16)
    want = ir.ReleasedIMAML(loss, lam=2.0, inner=inner, cg_steps=5, c=1.0, d=10.0)
    assert ir.ReleasedIMAML(loss) == want


def test_its_name_says_that_it_is_another_operator():
    out = released(curved())
    seen = out.diagnostics
    assert seen.estimator == ("released, ((1 + 1) I + H/(λ + 10)) g = v by 5 CG steps")
    assert seen.bound is None
    assert (seen.cosine > 0.98).all()  # nearly first order
    assert (seen.inner_residual > 0.01).all()  # φ is not stationary


def test_the_number_of_cg_steps_counts(problem):
    """One step is parallel to v; the length is that of the line search along it."""
    out = released(problem, cg_steps=1)
    assert_allclose(out.diagnostics.cosine, 1, rtol=1e-12)
    assert_array_equal(out.diagnostics.num_products, [1, 1, 1])
    assert digits(out.grad, released(problem, cg_steps=9).grad) < 4


def test_the_operator_takes_one_lam_only():
    with pytest.raises(ValueError, match=r"takes one λ, a number: .* shape \(44,\)"):
        released(curved().per_parameter())


def test_it_diverges_loudly():
    problem = replace(quadratic(), step_size=1.0)
    with pytest.raises(ir.InnerDivergence, match=r"^task \d: .*diverged in step"):
        ir.PullBackDescent(1.0, 16).solve(problem.objective(), problem.theta)
