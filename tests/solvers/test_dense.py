"""The dense oracle is exact, and says when it cannot be."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.solvers import Dense, Status, dense_matrix
from tests.helpers import systems


def test_the_matrix_is_written_out():
    A, b = systems.positive_definite()
    A = A + np.triu(np.ones_like(A))  # not symmetric: a transposed copy would show
    assert_allclose(dense_matrix(systems.product_of(A), b), A, rtol=1e-15)


def test_hilbert_systems_have_their_integer_solutions():
    n = 6
    hilbert = 1 / (np.arange(n)[:, None] + np.arange(n) + 1)
    whole = np.arange(1.0, n + 1)
    x, info = Dense().solve(lambda v: v @ hilbert, (hilbert @ whole)[None])
    assert_allclose(x[0], whole, rtol=1e-9)
    assert info.status[0] == Status.CONVERGED


def test_indefinite_systems_are_solved_and_described():
    A, b = systems.indefinite()
    x, info = Dense().solve(systems.product_of(A), b)
    assert_allclose(info.residual, systems.residual(A, x, b), atol=1e-15)
    assert (info.residual < 1e-13).all()
    assert_allclose(info.smallest_ritz, [-3], rtol=1e-12)
    assert_array_equal(info.negative_curvature, [3])
    assert_array_equal(info.num_products, systems.P + 1)
    assert info.status[0] == Status.CONVERGED


def test_a_singular_system_is_named_and_leaves_the_others_alone():
    A, b = systems.positive_definite(size=3)
    A[0] = np.diag([1.0, 2.0, 0.0])
    A[2] = np.ones((3, 3)) / 3 + 1e-18
    x, info = Dense().solve(systems.product_of(A), b)
    assert list(info.status) == [Status.SINGULAR, Status.CONVERGED, Status.SINGULAR]
    assert_array_equal(x[0], 0)
    assert_allclose(x[1], systems.solution(A[1:2], b[1:2])[0], rtol=1e-13)


def test_what_is_not_finite_is_named():
    A, b = systems.positive_definite()
    b[2, 0] = np.nan
    _, info = Dense().solve(systems.product_of(A), b)
    assert list(info.status) == [0, 0, Status.NOT_FINITE]
    assert_array_equal(info.negative_curvature, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    A, b = (a.astype(dtype) for a in systems.positive_definite())
    x, info = Dense().solve(systems.product_of(A), b)
    assert x.dtype == dtype
    tolerance = 100 * np.finfo(dtype).eps
    assert_allclose(x, systems.solution(A, b), rtol=tolerance, atol=tolerance)
    assert_array_equal(info.status, Status.CONVERGED)


def test_a_complex_step_goes_through_and_a_complex_system_is_refused():
    A, b = systems.positive_definite()
    product = systems.product_of(A.astype(complex))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, info = Dense().solve(product, b + 1e-30j * b)
    assert_allclose(x.imag / 1e-30, systems.solution(A, b), rtol=1e-9, atol=1e-9)
    assert np.isfinite(info.residual).all()
    with pytest.raises(TypeError, match="b must be real, got complex128"):
        Dense().solve(product, b * (1 + 2j))


def test_too_much_memory_is_refused_before_it_is_asked_for():
    with pytest.raises(ValueError, match=r"95.5 GiB for 2 matrices of 113221 × 113221"):
        Dense().solve(None, np.zeros((2, 113221), np.float32))
    with pytest.raises(ValueError, match="max_bytes"):
        Dense(max_bytes=0)
