"""What is measured with a meta-gradient, against its definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.meta_gradients.diagnostics import cosine
from imaml_ref.solvers import Status
from tests.helpers.meta_oracles import hessian, query
from tests.helpers.problems import PROBLEMS, batch_normed, curved, quadratic, ridge


@pytest.fixture(scope="module", params=PROBLEMS.values(), ids=PROBLEMS.keys())
def problem(request):
    return request.param


@pytest.fixture(scope="module")
def few(problem):
    """The meta-gradient by three steps of CG, and the dense H at its φ."""
    out = implicit(problem)
    x, y = problem.tasks.support_x, problem.tasks.support_y
    return out, hessian(problem.loss, out.phi, x, y)


def implicit(problem, **options):
    arguments = {"inner": problem.descent(16), "solver": ir.CG(maxiter=3)} | options
    return ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        keep=("phi", "task_grads"),
        **arguments,
    )


def norms(rows):
    return np.array([np.linalg.norm(row) for row in rows])


def test_residuals_and_cosine_are_what_they_are_called(problem, few):
    out, H = few
    tasks, lam = problem.tasks, problem.lam
    support = problem.loss.linearize(out.phi, tasks.support_x, tasks.support_y)
    at_query = query(problem, out.phi)
    x, v = out.task_grads / lam, at_query.grad
    r1 = support.grad + lam * (out.phi - problem.theta)
    r2 = [v[t] - H[t] @ x[t] - lam * x[t] for t in range(len(v))]
    seen = out.diagnostics
    assert_allclose(seen.inner_residual, norms(r1), rtol=1e-12)
    assert_allclose(seen.solver_residual, norms(r2), rtol=1e-8)
    assert (seen.solver_residual > 1e-3).all()
    g = out.task_grads
    angles = [g[t] @ v[t] / norms([g[t], v[t]]).prod() for t in range(len(v))]
    assert_allclose(seen.cosine, angles, rtol=1e-12)
    assert_array_equal(seen.support_loss, support.value)
    assert_array_equal(seen.query_loss, at_query.value)
    assert_array_equal(seen.num_products, [3, 3, 3])
    assert_array_equal(seen.status, [Status.MAXITER] * 3)
    assert (seen.estimator, seen.damping) == ("implicit, (H + λ) x = v by CG", 0.0)


def test_the_smallest_ritz_value_bounds_the_smallest_eigenvalue_from_above(
    problem, few
):
    """Of H + λI, or of Λ^−½ (H + Λ) Λ^−½ for a λ per parameter; equal in the end.

    In exact arithmetic.  Rounding leaves u ‖A‖ and a little where A is definite.  Where
    it is not, a c_j may be near 0, and entries of ‖A‖² ρ_j / c_j cancel in T: that is
    √u ‖A‖ if c_j is √u of its size, as one c_j in 10⁷ is.
    """
    few, H = few
    size = problem.theta.size
    many = implicit(problem, solver=ir.CG(maxiter=size))
    lam = np.broadcast_to(problem.lam, problem.theta.shape)
    A = H + np.diag(lam)
    if np.ndim(problem.lam):
        A /= np.sqrt(np.outer(lam, lam))
    values = np.linalg.eigvalsh(A)
    smallest, norm = values[:, 0], abs(values).max(1)
    u = np.finfo(float).eps
    below = norm * np.where(smallest > 0, 10 * u * size, np.sqrt(u))
    assert (few.diagnostics.smallest_ritz >= smallest - below).all()
    assert (many.diagnostics.smallest_ritz >= smallest - below).all()
    assert_allclose(many.diagnostics.smallest_ritz, smallest, atol=0.1)


def test_negative_curvature_is_counted():
    problem = batch_normed()
    seen = implicit(problem, solver=ir.CG(maxiter=30)).diagnostics
    assert (seen.negative_curvature > 0).any()
    assert (seen.negative_curvature < seen.num_products).all()
    indefinite = seen.negative_curvature > 0
    assert (seen.smallest_ritz[indefinite] < 0).all()


def test_accuracy_is_the_share_of_right_answers():
    problem = curved()
    out = implicit(problem)
    z = problem.loss.net.logits(out.phi, problem.tasks.query_x)
    right = [
        np.mean([z[t, n].argmax() == problem.tasks.query_y[t, n] for n in range(4)])
        for t in range(3)
    ]
    assert_array_equal(out.diagnostics.query_accuracy, right)
    assert len(set(right)) > 1
    assert np.isnan(implicit(ridge()).diagnostics.query_accuracy).all()


def test_where_nothing_is_solved_nothing_is_reported_of_a_solver():
    problem = curved()
    algorithm = ir.FirstOrderMAML(problem.loss, lam=problem.lam)
    for out in (
        algorithm(problem.theta, problem.tasks),
        ir.unrolled_gradient(problem.loss, problem.theta, problem.tasks),
    ):
        seen = out.diagnostics
        assert np.isnan(seen.solver_residual).all()
        assert np.isnan(seen.smallest_ritz).all()
        assert_array_equal(seen.num_products, [0, 0, 0])
        assert_array_equal(seen.negative_curvature, [0, 0, 0])


def test_a_solution_that_is_not_finite_is_refused_by_its_task():
    problem = quadratic()
    phi = np.tile(problem.theta, (4, 1))
    phi[2, 1] = np.nan
    message = r"^task 2: inner solution is not finite: ‖∇G\(φ\)‖ = nan; lower"
    with pytest.raises(ir.InnerDivergence, match=message):
        ir.implicit_gradient_at(problem.loss, problem.theta, phi, problem.tasks)


def test_the_cosine_of_small_vectors_is_still_one_of_them():
    """Squares of 1e-30 underflow in float32, and 0/0 is no angle."""
    a = np.array([[3, 4], [0, 0], [1e-30, 0], [1, 1], [1e30, 0]], np.float32)
    b = np.array([[4, 3], [1, 2], [1e-30, 1e-30], [-1, -1], [1e30, 1e30]], np.float32)
    want = [0.96, np.nan, 0.5**0.5, -1, 0.5**0.5]
    assert_allclose(cosine(a, b), want, rtol=1e-6)
    assert_allclose(cosine(b, a), want, rtol=1e-6)
