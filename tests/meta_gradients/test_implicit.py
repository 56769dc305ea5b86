"""Implicit meta-gradients against answers that were found in other ways."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import root

import imaml_ref as ir
from imaml_ref.checks import central_difference, digits
from tests.helpers.meta_oracles import (
    dense_answer,
    first_order_gap,
    fractions,
    lam_slopes,
    newton,
    outer_values,
    ridge_answer,
    solve_exactly,
    theta_slopes,
)
from tests.helpers.problems import (
    PROBLEMS,
    Quadratic,
    curved,
    quadratic,
    ridge,
    softmax_regression,
)

BOTH = ("phi", "task_grads")
TIGHT = ir.CertifiedCG(rtol=1e-13)


def implicit(problem, inner, solver=TIGHT, **options):
    return ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        inner=inner,
        solver=solver,
        keep=BOTH,
        **options,
    )


@pytest.fixture(params=PROBLEMS.values(), ids=PROBLEMS.keys())
def problem(request):
    return request.param


def test_it_is_the_dense_solution_at_its_phi(problem):
    """The dense H comes from the complex step of the gradient: 10 digits."""
    outs = [implicit(problem, problem.descent(16), s) for s in (TIGHT, ir.Dense())]
    assert_array_equal(outs[0].phi, outs[1].phi)
    g, lam_grads = dense_answer(problem, outs[0].phi)
    assert first_order_gap(problem, outs[0].phi, g) > 0.05
    want = lam_grads.mean(0) if np.ndim(problem.lam) else lam_grads.mean(0).sum()
    for out in outs:
        assert digits(out.task_grads, g) > 10
        assert digits(out.grad, g.mean(0)) > 10
        assert_allclose(out.lam_grad, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("per_parameter", [False, True])
def test_ridge_regression_has_a_closed_form(per_parameter):
    """Every column w of W solves its normal equations, to 12 digits.

    (S + Λ) w = X̃ᵀy/N + Λθ,   (S + Λ) x = X̃_qᵀ(X̃_q w − y_q)/M,   g = Λ x,
    with X̃ = (X, 1) and S = X̃ᵀX̃/N.
    """
    problem = ridge().per_parameter() if per_parameter else ridge()
    out = implicit(problem, ir.NewtonCG(num_steps=4, cg_steps=30))
    phi, g, lam_grad = ridge_answer(problem)
    assert first_order_gap(problem, phi, g) > 0.05
    assert digits(out.phi, phi) > 12
    assert digits(out.task_grads, g) > 12
    want = lam_grad.mean(0) if per_parameter else lam_grad.sum(1).mean()
    assert digits(np.asarray(out.lam_grad), np.asarray(want)) > 12


@pytest.mark.parametrize("per_parameter", [False, True])
def test_it_is_the_derivative_of_the_solution_on_a_smooth_net(per_parameter):
    """Complex step of θ ↦ Q(φ_K(θ)), K large: 10 digits; of λ: 10; differences: 6."""
    problem = curved().per_parameter() if per_parameter else curved()
    out = implicit(problem, problem.descent(150))
    slope = theta_slopes(problem, 150)
    assert first_order_gap(problem, out.phi, slope[None]) > 0.05
    assert digits(out.grad, slope) > 10
    assert digits(np.asarray(out.lam_grad), lam_slopes(problem, 150)) > 10
    v = np.random.default_rng(1).normal(size=problem.theta.shape)
    gap = central_difference(
        lambda at: outer_values(problem, at[None], problem.lam, 150), problem.theta, v
    )
    assert_allclose(out.grad @ v, gap[0], rtol=1e-6)


@pytest.mark.parametrize("per_parameter", [False, True])
def test_it_agrees_with_rational_arithmetic_on_a_quadratic(per_parameter):
    problem = quadratic()
    lam = np.array([3, 2, 5, 1, 7]) / 4 if per_parameter else 0.75
    phi, g, lam_grads = rational_answer(problem, lam)
    out = ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=lam,
        inner=ir.NewtonCG(num_steps=5, cg_steps=5),
        solver=ir.Dense(),
        keep=BOTH,
    )
    assert digits(out.phi, phi) > 13
    assert digits(out.task_grads, g) > 13
    assert digits(out.grad, g.mean(0)) > 13
    want = lam_grads.mean(0) if per_parameter else lam_grads.sum(1).mean()
    assert_allclose(out.lam_grad, want, rtol=1e-13)


def rational_answer(problem, lam):
    tasks, theta = problem.tasks, fractions(problem.theta)
    lam = fractions(np.broadcast_to(lam, theta.shape))
    answers = []
    for t in range(len(tasks)):
        A, b = fractions(tasks.support_x[t]), fractions(tasks.support_y[t])
        A_q, b_q = fractions(tasks.query_x[t]), fractions(tasks.query_y[t])
        A[np.diag_indices(len(b))] += lam
        phi = solve_exactly(A, b + lam * theta)
        x = solve_exactly(A, A_q @ phi - b_q)
        answers.append((phi, lam * x, -x * (phi - theta)))
    return np.array(answers).astype(float).swapaxes(0, 1)


def test_no_inner_step_leaves_phi_at_theta():
    problem = curved()
    out = implicit(problem, problem.descent(0))
    assert_array_equal(out.phi, np.tile(problem.theta, (3, 1)))
    g, _ = dense_answer(problem, out.phi)
    assert digits(out.task_grads, g) > 10
    assert out.lam_grad == 0


def scipys(objective, theta, start=None):
    """Let SciPy find the root of every task's ∇G."""
    phi_0 = np.tile(theta, (len(objective), 1)) if start is None else start

    def solution(task, phi):
        found = root(lambda p: task.grad(p[None])[0], phi, options={"xtol": 1e-13})
        return found.x

    return np.array([solution(objective.task(t), p) for t, p in enumerate(phi_0)])


def test_phi_may_come_from_scipy_before_or_inside():
    problem = softmax_regression()
    inside = implicit(problem, scipys)
    want = newton(problem)
    assert digits(inside.phi, want) > 11
    assert digits(inside.task_grads, dense_answer(problem, want)[0]) > 10
    before = ir.implicit_gradient_at(
        problem.loss,
        problem.theta,
        scipys(problem.objective(), problem.theta),
        problem.tasks,
        lam=problem.lam,
        solver=TIGHT,
    )
    assert_array_equal(before.grad, inside.grad)
    assert before.lam_grad == inside.lam_grad
    assert before.phi is None
    assert before.task_grads is None


def test_the_defaults_are_the_papers():
    problem = curved()
    loss, theta, tasks = problem.loss, problem.theta, problem.tasks
    want = ir.implicit_gradient(
        loss,
        theta,
        tasks,
        lam=2.0,
        inner=ir.GradientDescent(step_size=0.1, num_steps=16),
        solver=ir.CG(maxiter=5, rtol=0.0, on_negative_curvature="continue"),
        curvature="hessian",
        damping=0.0,
    )
    assert_array_equal(ir.implicit_gradient(loss, theta, tasks).grad, want.grad)
    phi = ir.adapt(loss, theta, tasks.support_x, tasks.support_y)
    at = ir.implicit_gradient_at(loss, theta, phi, tasks)
    assert_array_equal(at.grad, want.grad)


def test_a_users_own_loss_needs_no_network():
    problem = quadratic()
    assert type(problem.loss) is Quadratic
    out = implicit(problem, problem.descent(40))
    assert digits(out.task_grads, dense_answer(problem, out.phi)[0]) > 12
    assert np.isnan(out.diagnostics.query_accuracy).all()
    assert out.diagnostics.bound is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lam": 0.0}, r"lam must be positive and finite: .* got 0\.0"),
        ({"lam": -2}, "lam must be positive and finite: .* got -2"),
        ({"lam": np.nan}, "lam must be positive and finite: .* got nan"),
        ({"lam": np.inf}, "lam must be positive and finite: .* got inf"),
        ({"lam": np.ones(7)}, r"positive number or of shape \(44,\), got shape \(7,\)"),
        ({"lam": np.zeros(44)}, r"positive and finite: .* got 0\.0"),
        (
            {"curvature": "fisher"},
            "curvature must be one of 'hessian', 'gauss-newton'",
        ),
        ({"damping": -0.1}, "damping must be a finite number >= 0, got -0.1"),
        ({"keep": ("phi", "grads")}, "keep takes 'phi' and 'task_grads', got "),
        ({"keep": "grads"}, r"keep takes 'phi' and 'task_grads', got \['grads'\]"),
    ],
)
@pytest.mark.parametrize("function", [ir.implicit_gradient, ir.implicit_gradient_at])
def test_what_cannot_be_meant_is_refused_in_one_line(function, options, message):
    problem = curved()
    phi = [np.tile(problem.theta, (3, 1))] * (function is ir.implicit_gradient_at)
    with pytest.raises(ValueError, match=message) as caught:
        function(problem.loss, problem.theta, *phi, problem.tasks, **options)
    assert "\n" not in str(caught.value)


def test_a_phi_that_does_not_fit_is_refused():
    p = curved()
    phi = np.tile(p.theta, (2, 1))
    with pytest.raises(ValueError, match=r"φ expects shape \(3, 44\), got \(2, 44\)"):
        ir.implicit_gradient_at(p.loss, p.theta, phi, p.tasks)
    phi = np.tile(p.theta, (3, 1)).astype(np.float32)
    with pytest.raises(TypeError, match="dtype of θ, float64, got float32"):
        ir.implicit_gradient_at(p.loss, p.theta, phi, p.tasks)
    with pytest.raises(ValueError, match=r"returned φ \(44,\), not \(\d, 44\)"):
        ir.implicit_gradient(p.loss, p.theta, p.tasks, inner=lambda o, t, s: t)

    def rounded(objective, theta, start):
        return np.tile(theta, (len(objective), 1)).astype(np.float32)

    with pytest.raises(TypeError, match="φ of dtype float32, not float64"):
        ir.implicit_gradient(p.loss, p.theta, p.tasks, inner=rounded)


def test_no_tasks_and_no_vector_are_refused():
    p = curved()
    with pytest.raises(ValueError, match=r"theta expects shape \(P,\), got \(1, 44\)"):
        ir.implicit_gradient(p.loss, p.theta[None], p.tasks)
    with pytest.raises(ValueError, match="at least one task, got none"):
        ir.implicit_gradient(p.loss, p.theta, [])


def test_a_loss_of_ones_own_need_not_be_one_of_ours():
    known = ir.SquaredError()

    class Mine:
        targets, forward, grad = known.targets, known.forward, known.grad
        hvp, accuracy = known.hvp, known.accuracy

    problem = curved()
    tasks, theta = problem.tasks, problem.theta
    shape = (*tasks.support_y.shape[:2], problem.loss.net.num_outputs)
    y = np.random.default_rng(0).normal(size=shape)
    x = tasks.support_x
    tasks = ir.TaskBatch(x, y, x, y)
    got, want = (
        ir.IMAML(ir.TaskLoss(problem.loss.net, loss))(theta, tasks).grad
        for loss in (Mine(), known)
    )
    assert_array_equal(got, want)
