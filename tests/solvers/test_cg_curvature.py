"""What batched CG sees of the spectrum, and what it does on negative curvature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.solvers import CG, Status, cg_batched
from imaml_ref.solvers.diagnostics import quotients
from tests.helpers import systems


@pytest.mark.parametrize("M", [None, 0.2, np.array([[0.2], [3.0], [1.0]])])
def test_the_ritz_value_is_the_smallest_on_the_krylov_space(M):
    A, b = systems.positive_definite()
    _, info = cg_batched(systems.product_of(A), b, rtol=0, maxiter=4, M=M)
    for t in range(len(b)):
        powers = [np.linalg.matrix_power(A[t], j) @ b[t] for j in range(4)]
        K, _ = np.linalg.qr(np.stack(powers).T)
        expected = np.linalg.eigvalsh(K.T @ A[t] @ K)[0]
        assert_allclose(info.smallest_ritz[t], expected, rtol=1e-9)
        assert info.smallest_ritz[t] >= np.linalg.eigvalsh(A[t])[0]
        assert info.smallest_rayleigh[t] >= np.linalg.eigvalsh(A[t])[0]


def test_the_ritz_value_reaches_the_smallest_eigenvalue():
    A, b = systems.indefinite()
    _, info = cg_batched(systems.product_of(A), b, rtol=0, maxiter=systems.P)
    assert_allclose(info.smallest_ritz, np.linalg.eigvalsh(A)[:, 0], rtol=1e-8)


def test_a_diagonal_preconditioner_gives_ritz_values_of_the_product():
    A, b = systems.positive_definite()
    M = np.random.default_rng(3).uniform(0.3, 3, size=b.shape)
    _, info = cg_batched(systems.product_of(A), b, rtol=0, maxiter=systems.P, M=M)
    root = np.sqrt(M)
    whole = np.linalg.eigvalsh(root[:, :, None] * A * root[:, None, :])[:, 0]
    assert_allclose(info.smallest_ritz, whole, rtol=1e-8)


def test_going_on_through_negative_curvature_solves_the_system():
    A, b = systems.indefinite()
    x, info = cg_batched(systems.product_of(A), b, rtol=1e-10)
    assert_allclose(x, systems.solution(A, b), rtol=1e-7)
    assert info.status[0] == Status.CONVERGED
    assert info.negative_curvature[0] > 0
    assert info.smallest_ritz[0] < 0


def first_negative_step(A, b):
    """Return the first k at which A is not positive definite on the Krylov space."""
    for k in range(1, len(b) + 1):
        powers = [np.linalg.matrix_power(A, j) @ b for j in range(k)]
        K, _ = np.linalg.qr(np.stack(powers).T)
        if np.linalg.eigvalsh(K.T @ A @ K)[0] < 0:
            return k
    return None


@pytest.mark.parametrize(
    ("conduct", "status"),
    [("truncate", Status.TRUNCATED), ("refuse", Status.NEGATIVE_CURVATURE)],
)
def test_stopping_before_negative_curvature_keeps_the_last_iterate(conduct, status):
    A, b = systems.indefinite(seed=3)
    step = first_negative_step(A[0], b[0])
    assert step > 1
    matvec = systems.product_of(A)
    x, info = CG(9, on_negative_curvature=conduct).solve(matvec, b)
    before, _ = CG(step - 1).solve(matvec, b)
    assert_array_equal(x, before)
    assert info.status[0] == status
    assert info.first_negative_step[0] == step
    assert info.num_products[0] == step
    assert info.negative_curvature[0] == 1
    assert_allclose(info.residual, systems.residual(A, x, b), rtol=1e-12)


@pytest.mark.parametrize("first", [-2.0, 0.0])
def test_truncation_at_the_first_direction_returns_the_first_order_one(first):
    A, b, M = np.diag([first, first, 1.0])[None], np.array([[2.0, 1.0, 0.0]]), 0.25
    x, info = cg_batched(
        systems.product_of(A), b, M=M, maxiter=5, on_negative_curvature="truncate"
    )
    assert_array_equal(x, M * b)
    assert info.status[0] == Status.TRUNCATED
    assert_allclose(info.residual, systems.residual(A, x, b), rtol=1e-14)
    x, info = cg_batched(
        systems.product_of(A), b, M=M, maxiter=5, on_negative_curvature="refuse"
    )
    assert_array_equal(x, 0)
    assert info.status[0] == Status.NEGATIVE_CURVATURE


@pytest.mark.parametrize("conduct", ["continue", "truncate", "refuse"])
@pytest.mark.parametrize("M", [None, np.array([1.0, 1.0]), np.array([2.0, 1.0])])
def test_a_saddle_gives_no_nan(conduct, M):
    saddle = np.diag([1.0, -1.0])[None]
    x, info = cg_batched(
        systems.product_of(saddle),
        np.ones((1, 2)),
        M=M,
        maxiter=7,
        rtol=0,
        on_negative_curvature=conduct,
    )
    assert np.isfinite(x).all()
    assert np.isfinite(info.residual).all()
    assert info.negative_curvature[0] >= 1


def test_the_first_negative_curvature_is_reported():
    A, b = np.diag([1.0, -3.0])[None], np.array([[1.0, 2.0]])
    _, info = cg_batched(systems.product_of(A), b, maxiter=1)
    assert_allclose(info.first_negative, [-11.0], rtol=1e-15)
    assert_allclose(info.smallest_rayleigh, [-11.0 / 5], rtol=1e-15)
    assert_array_equal(info.first_negative_step, [1])


def test_an_indefinite_preconditioner_is_named():
    A, b = systems.positive_definite()
    x, info = cg_batched(systems.product_of(A), b, M=lambda r: -r)
    assert_array_equal(x, 0)
    assert_array_equal(info.status, Status.INDEFINITE_PRECONDITIONER)


def test_a_direction_whose_square_underflows_says_nothing_of_the_spectrum():
    c, squared_p = np.array([[4e-324], [6.0]]), np.array([[0.0], [2.0]])
    seen = np.array([[True], [True]])
    assert quotients(c, squared_p, seen) == [3.0]
    assert quotients(c[:1], squared_p[:1], seen[:1]) == [np.inf]
