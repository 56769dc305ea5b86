"""The Neumann series is its sum, and says when it has none."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.solvers import CG, Neumann, Status
from tests.helpers import systems

A, B = systems.positive_definite()
LARGEST = np.linalg.eigvalsh(A).max()


def partial_sum(A, b, eta, terms):
    """Return η Σ Jʲ b by matrix powers, for one task."""
    J = np.eye(len(b)) - eta * A
    terms = (np.linalg.matrix_power(J, j) @ b for j in range(terms))
    return eta * sum(terms, np.zeros_like(b))


@pytest.mark.parametrize("terms", [1, 2, 7, 40])
def test_the_terms_are_those_of_the_series(terms):
    x, info = Neumann(0.03, terms).solve(systems.product_of(A), B)
    for t in range(len(A)):
        assert_allclose(x[t], partial_sum(A[t], B[t], 0.03, terms), rtol=1e-11)
    assert_array_equal(info.iterations, terms)
    assert_array_equal(info.num_products, terms + 1)
    assert_array_equal(info.status, Status.MAXITER)
    assert_allclose(info.residual, systems.residual(A, x, B), rtol=1e-11)


def test_it_is_the_series_in_rational_numbers():
    A = [[Fraction(3, 2), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]
    r, x, eta = [Fraction(1), Fraction(-5, 2)], [Fraction(0)] * 2, Fraction(3, 4)
    floats = np.array(A, float), np.array([r], float)
    for _ in range(12):
        x = [u + eta * v for u, v in zip(x, r, strict=True)]
        r = [v - eta * systems.inner(row, r) for v, row in zip(r, A, strict=True)]
    found, info = Neumann(0.75, 12).solve(lambda v: v @ floats[0], floats[1])
    assert_allclose(found[0], [float(v) for v in x], rtol=1e-14)
    left = float(systems.inner(r, r)) ** 0.5
    assert_allclose(info.residual[0], left, rtol=1e-9)


def test_gradient_descent_on_a_quadratic_differentiated_is_this_series():
    rng = np.random.default_rng(3)
    loss = ir.TaskLoss(ir.architectures.linear((5,), 2), ir.SquaredError())
    theta = loss.net.init(rng)
    sizes = (7, 5), (7, 2), (4, 5), (4, 2)
    tasks = ir.TaskBatch(*(rng.normal(size=(3, n, d)) for n, d in sizes))
    lam, eta, steps = 0.7, 0.15, 9
    options = {"lam": lam, "keep": ("phi", "task_grads")}
    inner = ir.GradientDescent(eta, steps)
    unrolled = ir.unrolled_gradient(loss, theta, tasks, inner=inner, **options)
    support = tasks.support_x, tasks.support_y
    at = ir.ProximalObjective(loss, theta, *support, lam).linearize(unrolled.phi)
    v = loss.linearize(unrolled.phi, tasks.query_x, tasks.query_y).grad
    x, _ = Neumann(eta, steps).solve(at.hvp, v)
    # θ̄ = J^K v + η Λ Σ Jʲ v, and J^K v = v − A x is what the series leaves.
    assert_allclose(unrolled.task_grads, v - at.hvp(x) + lam * x, rtol=1e-11)


@pytest.mark.parametrize("factor", [0.5, 0.99])
def test_it_converges_below_two_over_the_largest_eigenvalue(factor):
    eta = 2 * factor / LARGEST
    x, info = Neumann(eta, 10_000, rtol=1e-10).solve(systems.product_of(A), B)
    assert_array_equal(info.status, Status.CONVERGED)
    assert_allclose(x, systems.solution(A, B), rtol=1e-8, atol=1e-9)
    assert (info.residual <= info.tolerance).all()


def test_above_it_the_series_of_that_task_diverges_and_no_other():
    eta = 2.02 / LARGEST
    x, info = Neumann(eta, 10_000, rtol=1e-9).solve(systems.product_of(A), B)
    assert list(info.status) == [Status.CONVERGED, Status.DIVERGED, Status.CONVERGED]
    assert np.isfinite(x).all()
    left = [
        np.linalg.norm(B[1] - A[1] @ partial_sum(A[1], B[1], eta, k))
        for k in range(info.iterations[1] + 3)
    ]
    assert np.argmin(left) == info.iterations[1] > 2
    assert_allclose(info.residual[1], min(left), rtol=1e-9)


def test_an_indefinite_system_diverges_at_any_step():
    A, b = systems.indefinite()
    for eta in (1e-3, 0.1, 10.0):
        _, info = Neumann(eta, 5000).solve(systems.product_of(A), b)
        assert_array_equal(info.status, Status.DIVERGED)
        assert info.residual[0] <= np.linalg.norm(b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_no_unit_of_b_makes_it_fail(dtype, size):
    b = (size * B).astype(dtype)
    solver = Neumann(0.06, 2000, rtol=1e-5)
    x, info = solver.solve(systems.product_of(A.astype(dtype)), b)
    assert x.dtype == dtype
    assert_array_equal(info.status, Status.CONVERGED)
    assert_allclose(x / size, systems.solution(A, B), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_product_that_is_not_finite_ends_its_task_only(bad):
    def matvec(v):
        return systems.product_of(A)(v) * np.array([[1.0], [bad], [1.0]])

    with np.errstate(invalid="ignore"):
        x, info = Neumann(0.03, 4).solve(matvec, B)
    assert list(info.status) == [1, Status.NOT_FINITE, 1]
    assert_allclose(x[0], partial_sum(A[0], B[0], 0.03, 4), rtol=1e-12)
    assert_array_equal(x[1], 0)
    assert list(info.iterations) == [4, 0, 4]


def test_a_task_that_diverged_is_left_alone_however_long_the_others_take():
    with np.errstate(all="raise", under="ignore"):
        x, info = Neumann(0.6, 2000).solve(
            lambda v: np.array([[9.0], [1e-3]]) * v, B[:2]
        )
    assert list(info.status) == [Status.DIVERGED, Status.MAXITER]
    assert list(info.iterations) == [0, 2000]
    assert np.isfinite(x).all()


def test_a_start_is_gone_on_from_and_each_step_is_seen():
    b, seen = 100 * B, []
    first, _ = Neumann(0.03, 5).solve(systems.product_of(A), b)
    rest, _ = Neumann(0.03, 6).solve(
        systems.product_of(A), b, x0=first, callback=lambda x: seen.append(x.copy())
    )
    whole, _ = Neumann(0.03, 11).solve(systems.product_of(A), b)
    assert_allclose(rest, whole, rtol=1e-11, atol=1e-12)
    assert len(seen) == 6
    assert_array_equal(seen[-1], rest)
    solved, info = Neumann(0.03, 6).solve(lambda v: v, B, x0=B)
    assert_array_equal(solved, B)
    assert list(info.iterations) == [0] * 3


def test_a_task_has_the_bits_of_a_run_on_its_own():
    solver = Neumann(0.06, 300, rtol=1e-6)
    x, info = solver.solve(systems.product_of(A), B)
    assert len(set(info.iterations)) == 3
    for t in range(3):
        one = slice(t, t + 1)
        alone, its = solver.solve(systems.product_of(A[one]), B[one])
        assert_array_equal(x[one], alone)
        assert info.num_products[t] == its.num_products[0]


def test_a_claim_that_the_true_residual_refutes_is_stagnation():
    calls = []

    def forgetful(v):
        calls.append(1)
        return systems.product_of(A)(v) * (1 if len(calls) < 300 else 1.001)

    _, info = Neumann(0.06, 5000, rtol=1e-12).solve(forgetful, B)
    assert (info.status == Status.STAGNATION).any()
    assert not ((info.status == 0) & (info.residual > info.tolerance)).any()


def test_cg_is_never_behind():
    for k in (1, 3, 6):
        x, _ = Neumann(0.06, k).solve(systems.product_of(A), B)
        y, _ = CG(k).solve(systems.product_of(A), B)
        for t in range(3):
            e, f = (z[t] - systems.solution(A, B)[t] for z in (x, y))
            assert f @ A[t] @ f <= e @ A[t] @ e


@pytest.mark.parametrize("options", [{"step_size": 0}, {"maxiter": 0}, {"rtol": -1}])
def test_bad_options_are_refused_when_made(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Neumann(**({"step_size": 0.1} | options))
