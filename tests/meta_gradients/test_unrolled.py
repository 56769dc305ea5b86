"""The unrolled gradient: exact at any K, and on its way to the implicit one."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import central_difference, digits
from imaml_ref.layers import AveragePool2d, Softplus
from tests.helpers.meta_oracles import (
    first_order_gap,
    fractions,
    hessian,
    lam_slopes,
    outer_values,
    theta_slopes,
)
from tests.helpers.problems import (
    PROBLEMS,
    Problem,
    Quadratic,
    curved,
    make_problem,
    quadratic,
)


def unrolled(problem, num_steps, **options):
    return ir.unrolled_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        **{"lam": problem.lam, "inner": problem.descent(num_steps)} | options,
    )


SMALL = {n: p for n, p in PROBLEMS.items() if p.theta.size < 100}


@pytest.fixture(params=SMALL.values(), ids=SMALL.keys())
def problem(request):
    return request.param


@pytest.mark.parametrize("num_steps", [1, 3, 10])
def test_it_is_the_derivative_of_the_inner_loop(problem, num_steps):
    """The complex step of θ ↦ Q(φ_K(θ)), and of λ: 11 digits at any K."""
    out = unrolled(problem, num_steps, keep="phi")
    slope = theta_slopes(problem, num_steps)
    assert first_order_gap(problem, out.phi, slope[None]) > 0.05
    assert digits(out.grad, slope) > 11
    if num_steps == 1:  # φ_0 = θ: the first step does not know λ
        assert_array_equal(out.lam_grad, np.zeros(np.shape(problem.lam)))
    else:
        want = lam_slopes(problem, num_steps)
        assert digits(np.asarray(out.lam_grad), want) > 11


@pytest.mark.parametrize("num_steps", [1, 3, 10])
def test_without_a_proximal_term_it_is_maml(problem, num_steps):
    """Plain steps, no λ anywhere: the complex step at λ = 0."""
    out = unrolled(problem, num_steps, lam=None)
    slope = theta_slopes(replace(problem, lam=0.0), num_steps)
    assert digits(out.grad, slope) > 11
    assert out.lam_grad is None
    with_term = unrolled(problem, num_steps)
    if num_steps > 1:
        gap = np.linalg.norm(out.grad - with_term.grad) / np.linalg.norm(slope)
        assert gap > 0.01


@pytest.mark.parametrize("name", ["batch_normed", "support_normed", "task_normed"])
def test_it_is_the_derivative_through_normalisations_too(name):
    problem = PROBLEMS[f"{name}-lam"]
    assert digits(unrolled(problem, 3).grad, theta_slopes(problem, 3)) > 11


def test_it_agrees_with_central_differences_through_convolutions_and_pools():
    net = ir.architectures.conv4(
        3,
        input_shape=(16, 17, 1),
        num_filters=2,
        activation=Softplus,
        pool=AveragePool2d,
    )
    problem = make_problem(net, ir.SoftmaxCrossEntropy(), lam=0.5, step_size=0.1)
    v = np.random.default_rng(4).normal(size=problem.theta.shape)
    gap = central_difference(
        lambda at: outer_values(problem, at[None], 0.5, 3), problem.theta, v
    )
    assert_allclose(unrolled(problem, 3).grad @ v, gap[0], rtol=1e-6)


@pytest.mark.parametrize("per_parameter", [False, True])
def test_small_integers_come_out_exactly(per_parameter):
    """Two steps on a quadratic of binary fractions: no rounding, every bit right."""
    problem = quadratic()
    lam = np.array([1, 2, 4, 1, 2]) / 4 if per_parameter else 0.5
    out = ir.unrolled_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=lam,
        inner=ir.GradientDescent(step_size=0.25, num_steps=2),
        keep=("phi", "task_grads"),
    )
    answers = [exact_answer(problem, lam, t) for t in range(4)]
    phi, grads, lam_grads = np.array(answers).astype(float).swapaxes(0, 1)
    assert_array_equal(out.phi, phi)
    assert_array_equal(out.task_grads, grads)
    assert_array_equal(out.grad, grads.mean(0))
    want = lam_grads.mean(0) if per_parameter else lam_grads.sum(1).mean()
    assert_array_equal(out.lam_grad, want)


def exact_answer(problem, lam, t):
    """Carry dφ_k/dθ and dφ_k/dλ forward, in rational arithmetic."""
    A, b, A_q, b_q = (
        fractions(getattr(problem.tasks, name)[t])
        for name in ("support_x", "support_y", "query_x", "query_y")
    )
    theta, eye = fractions(problem.theta), fractions(np.eye(5))
    Lam = eye * fractions(np.broadcast_to(lam, 5))
    alpha = fractions(0.25)
    phi, by_theta, by_lam = theta, eye, 0 * eye
    for _ in range(2):
        away = phi - theta
        by_lam = by_lam - alpha * ((A + Lam) @ by_lam + eye * away)
        by_theta = by_theta - alpha * ((A + Lam) @ by_theta - Lam)
        phi = phi - alpha * (A @ phi - b + Lam @ away)
    v = A_q @ phi - b_q
    return phi, v @ by_theta, v @ by_lam


def spectrum_problem():
    """A quadratic with H = Q diag(h) Qᵀ for every task; ∇Q has a part along each."""
    rng = np.random.default_rng(8)
    h = np.array([0.25, 1, 2, 3, 4, 6])
    A, b = np.empty((3, 6, 6)), rng.normal(size=(3, 6))
    for t in range(3):
        Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
        A[t] = Q * h @ Q.T
    tasks = ir.TaskBatch(A, b, A[:, ::-1, ::-1].copy(), -b)
    theta = rng.normal(size=6)
    return Problem(Quadratic(), theta, tasks, 0.5, 0.05), h


@pytest.mark.parametrize("name", ["known spectrum", "smooth net"])
def test_it_tends_to_the_implicit_gradient_at_the_rate_of_the_contraction(name):
    """The log error falls by log max|1 − α(h + λ)| a step, within 10 %, to rounding."""
    if name == "known spectrum":
        problem, h = spectrum_problem()
    else:
        problem = replace(curved(), step_size=0.05)
        h = spectrum_at_the_solution(problem)
    factor = np.abs(1 - problem.step_size * (h + problem.lam)).max()
    star = implicit_answer(problem).grad
    K = np.array([5, 20, 80, 320])
    errors = np.array([np.linalg.norm(unrolled(problem, k).grad - star) for k in K])
    assert errors[0] > 0.05 * np.linalg.norm(star)
    seen = errors > 1e-11 * np.linalg.norm(star)
    assert seen[:3].all()
    slopes = np.diff(np.log(errors)) / np.diff(K)
    assert_allclose(slopes[seen[1:]][-1], np.log(factor), rtol=0.1)
    assert errors[-1] < 1e-4 * errors[0]


def implicit_answer(problem):
    return ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        inner=ir.NewtonCG(num_steps=30, cg_steps=problem.theta.size),
        solver=ir.Dense(),
        keep="phi",
    )


def spectrum_at_the_solution(problem):
    phi, tasks = implicit_answer(problem).phi, problem.tasks
    return np.linalg.eigvalsh(
        hessian(problem.loss, phi, tasks.support_x, tasks.support_y)
    )


def test_what_it_reports():
    problem = curved()
    out = unrolled(problem, 4, keep=("phi", "task_grads"))
    seen = out.diagnostics
    tasks = problem.tasks
    query = problem.loss.linearize(out.phi, tasks.query_x, tasks.query_y)
    support = problem.loss.linearize(out.phi, tasks.support_x, tasks.support_y)
    residual = support.grad + problem.lam * (out.phi - problem.theta)
    assert_allclose(seen.inner_residual, np.linalg.norm(residual, axis=1), rtol=1e-12)
    assert_array_equal(seen.query_loss, query.value)
    assert_array_equal(seen.support_loss, support.value)
    assert_array_equal(seen.query_accuracy, query.accuracy())
    assert (seen.cosine < 0.999).all()
    assert_array_equal(seen.bound, np.zeros(3))
    assert seen.bound_reason == "exact for the K steps taken; it is not (5)"
    assert seen.estimator == "unrolled, the adjoint of K gradient steps"
    assert_array_equal(
        out.phi, problem.descent(4).solve(problem.objective(), problem.theta)
    )


def test_no_steps_leave_the_query_gradient_at_theta():
    problem = curved()
    out = unrolled(problem, 0, keep="phi")
    query = problem.loss.linearize(
        out.phi, problem.tasks.query_x, problem.tasks.query_y
    )
    assert_allclose(out.grad, query.grad.mean(0), rtol=1e-14)
    assert out.lam_grad == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"inner": ir.NewtonCG()},
            TypeError,
            "only GradientDescent is unrolled, got New",
        ),
        ({"lam": -1.0}, ValueError, "lam must be positive and finite"),
        ({"keep": "grads"}, ValueError, "keep takes"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        unrolled(curved(), 2, **options)
