"""Woodbury's solution is LAPACK's, and Jacobi's diagonal that of the matrix."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.solvers import (
    Factor,
    Jacobi,
    Nystrom,
    PreconditionedCG,
    Status,
    Woodbury,
)
from tests.helpers import systems

T, K, P = 3, 5, 13
LAM = np.linspace(0.4, 1.7, P)


def factor_of(R):
    """Return the products with R (T, K, P)."""
    return Factor(
        systems.product_of(R), systems.product_of(R.swapaxes(1, 2)), R.shape[1]
    )


def drawn(scale=1.0, dtype=float):
    rng = np.random.default_rng(0)
    return (scale * rng.normal(size=(T, K, P))).astype(dtype), rng.normal(
        size=(T, P)
    ).astype(dtype)


def with_strength(R, lam):
    return R.swapaxes(1, 2) @ R + lam * np.eye(P, dtype=R.dtype)


@pytest.mark.parametrize("lam", [0.3, LAM], ids=["scalar", "vector"])
def test_it_is_lapacks_solution(lam):
    R, b = drawn()
    A = with_strength(R, lam)
    x, info = Woodbury().solve(systems.product_of(A), b, 1 / lam, factor=factor_of(R))
    assert_allclose(x, systems.solution(A, b), rtol=1e-12, atol=1e-13)
    assert_array_equal(info.status, Status.CONVERGED)
    assert_array_equal(info.num_products, K + 1)
    assert info.measured.all()
    assert (info.residual <= 1e-13 * np.linalg.norm(b, axis=1)).all()


def test_a_row_of_integers_has_its_rational_solution():
    """(r rᵀ + λ)⁻¹ b = b/λ − r (rᵀb) / λ² / (1 + rᵀr/λ)."""
    r, b = [Fraction(n) for n in (2, -1, 3)], [Fraction(n) for n in (1, 4, -2)]
    lam = Fraction(5, 2)
    along = systems.inner(r, b) / lam**2 / (1 + systems.inner(r, r) / lam)
    want = [float(v / lam - u * along) for u, v in zip(r, b, strict=True)]
    R = np.array([[r]], float)
    A = R[0].T @ R[0] + 2.5 * np.eye(3)
    solver, b = Woodbury(), np.array([b], float)
    x, _ = solver.solve(lambda v: v @ A, b, 0.4, factor=factor_of(R))
    assert_allclose(x[0], want, rtol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
def test_the_error_is_like_the_condition_number_times_rounding(scale):
    """The solution in 50 digits by mpmath."""
    mpmath = pytest.importorskip("mpmath")
    R, b = drawn(scale=scale)
    A = with_strength(R, 1.0)
    x, _ = Woodbury().solve(systems.product_of(A), b, 1.0, factor=factor_of(R))
    with mpmath.workdps(50):
        rows = mpmath.matrix(R[0].tolist())
        exact = rows.T * rows + mpmath.eye(P)
        want = mpmath.lu_solve(exact, mpmath.matrix(b[0].tolist()))
    want = np.array([float(v) for v in want])
    rounding = np.linalg.cond(A[0]) * np.finfo(float).eps
    assert np.linalg.norm(x[0] - want) <= 10 * rounding * np.linalg.norm(want)


def test_float32_is_kept_and_exact_to_its_rounding():
    R, b = drawn(dtype=np.float32)
    A = with_strength(R, np.float32(0.5))
    x, info = Woodbury().solve(systems.product_of(A), b, 2.0, factor=factor_of(R))
    assert x.dtype == np.float32
    assert_array_equal(info.status, Status.CONVERGED)
    assert_allclose(x, systems.solution(A, b), rtol=1e-4, atol=1e-5)


def test_another_matrix_is_no_match_and_says_so():
    R, b = drawn()
    A = with_strength(R, 0.3)
    A[1] += 0.5 * systems.symmetric(np.linspace(-1, 1, P), np.random.default_rng(1))
    x, info = Woodbury().solve(systems.product_of(A), b, 1 / 0.3, factor=factor_of(R))
    assert list(info.status) == [0, Status.MISMATCH, 0]
    assert_allclose(info.residual, systems.residual(A, x, b), rtol=1e-6, atol=1e-13)
    assert "A is not G + Λ" in info.message(1)


def test_a_complex_step_is_refused_before_a_product_is_made():
    R, b = drawn()
    for solver, given in ((Woodbury(), {"factor": factor_of(R)}), (Nystrom(3), {})):
        with pytest.raises(TypeError, match="use CG for a complex step"):
            solver.solve(lambda v: 1 / 0, b + 1e-30j * b, 1.0, **given)


def test_what_is_not_finite_ends_its_task_only():
    R, b = drawn()
    A, sick = with_strength(R, 0.3), R.copy()
    sick[1, 2, 3] = np.nan
    solver, product = Woodbury(), systems.product_of(A)
    with np.errstate(invalid="ignore"):
        x, info = solver.solve(product, b, 1 / 0.3, factor=factor_of(sick))
    assert list(info.status) == [0, Status.NOT_FINITE, 0]
    alone, _ = solver.solve(
        systems.product_of(A[2:]), b[2:], 1 / 0.3, factor=factor_of(R[2:])
    )
    assert_array_equal(x[2:], alone)


@pytest.mark.parametrize("lam", [0.3, LAM], ids=["scalar", "vector"])
def test_jacobis_diagonal_is_that_of_the_matrix(lam):
    R, b = drawn()
    M, products = Jacobi().prepare(None, b, 1 / lam, factor=factor_of(R))
    diagonals = np.diagonal(with_strength(R, lam), axis1=1, axis2=2)
    assert_allclose(M, 1 / diagonals, rtol=1e-13)
    assert products == K


def test_cg_by_jacobi_is_scipys_with_that_diagonal():
    linalg = pytest.importorskip("scipy.sparse.linalg")
    R, b = drawn()
    A = with_strength(R, LAM)
    solver = PreconditionedCG(rtol=0.0, maxiter=4)
    more = {"factor": factor_of(R)}
    x, info = solver.solve(systems.product_of(A), b, 1 / LAM, **more)
    for t in range(T):
        M = np.diag(1 / np.diag(A[t]))
        want, _ = linalg.cg(A[t], b[t], M=M, rtol=0.0, maxiter=4)
        assert_allclose(x[t], want, rtol=1e-11, atol=1e-13)
    assert_array_equal(info.num_products, K + 4 + 1)
    seen = []
    again, _ = solver.solve(
        systems.product_of(A), b, 1 / LAM, x0=x, callback=seen.append, **more
    )
    assert len(seen) == 4
    after, before = (systems.residual(A, v, b) for v in (again, x))
    assert (after < before).all()


def test_it_is_told_apart_from_those_that_need_no_factor():
    assert Woodbury().takes_factor
    assert PreconditionedCG().takes_factor
    assert not PreconditionedCG(by=Nystrom()).takes_factor
    with pytest.raises(ValueError, match=r"by must be an object with prepare\(\)"):
        PreconditionedCG(by="Jacobi")
    with pytest.raises(ValueError, match="rtol"):
        Woodbury(rtol=-1)
