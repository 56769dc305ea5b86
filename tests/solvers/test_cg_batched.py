"""Batched CG is CG, for every task as if it were alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import cg as scipy_cg

from imaml_ref.solvers import CG, Status, cg_batched
from tests.helpers import systems


def scipy_iterates(A, b, **options):
    iterates = []
    scipy_cg(A, b, callback=lambda x: iterates.append(x.copy()), **options)
    return iterates


def identity(v):
    return v


def test_the_iterates_are_scipys():
    A, b = systems.positive_definite()
    ours = []
    _, info = cg_batched(systems.product_of(A), b, rtol=1e-7, callback=ours.append)
    for t in range(len(b)):
        theirs = scipy_iterates(A[t], b[t], rtol=1e-7)
        assert info.iterations[t] == len(theirs)
        for x, y in zip(ours, theirs, strict=False):
            assert_allclose(x[t], y, rtol=1e-11, atol=1e-12)


def test_the_iterates_from_x0_with_a_preconditioner_are_scipys():
    A, b = systems.positive_definite()
    x0, M = np.random.default_rng(1).uniform(0.5, 1.5, size=(2, *b.shape))
    ours = []
    cg_batched(systems.product_of(A), b, x0, maxiter=6, M=M, callback=ours.append)
    for t in range(len(b)):
        theirs = scipy_iterates(A[t], b[t], x0=x0[t], M=np.diag(M[t]), maxiter=6)
        assert_allclose([x[t] for x in ours], theirs, rtol=1e-11, atol=1e-12)


def test_the_iterates_are_those_of_rational_arithmetic():
    A = np.array([[4.0, 1, 0, 2], [1, 5, -1, 0], [0, -1, 3, 1], [2, 0, 1, 6]])
    b = np.array([1.0, -2, 3, 1])
    ours = []
    cg_batched(lambda v: v @ A, b[None], rtol=0, maxiter=4, callback=ours.append)
    for x, exact in zip(ours, systems.rational_cg(A, b, 4), strict=True):
        assert_allclose(x[0], exact, rtol=1e-13)


def test_each_step_is_optimal_on_its_krylov_space():
    A, b = systems.positive_definite(conditions=(50.0,), size=23)
    ours = []
    cg_batched(systems.product_of(A), b, rtol=0, maxiter=10, callback=ours.append)
    for k, x in enumerate(ours, start=1):
        powers = np.stack([np.linalg.matrix_power(A[0], j) @ b[0] for j in range(k)])
        K, _ = np.linalg.qr(powers.T)
        best = K @ np.linalg.solve(K.T @ A[0] @ K, K.T @ b[0])
        assert_allclose(x[0], best, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_task_has_the_bits_of_a_run_on_its_own(dtype):
    A, b = systems.positive_definite(conditions=(1.0, 3.0, 200.0), size=37)
    A, b = A.astype(dtype), b.astype(dtype)
    options = {"rtol": 1e-4, "maxiter": 30}
    x, info = cg_batched(systems.product_of(A), b, **options)
    assert len(set(info.iterations)) == len(b)
    for t in range(len(b)):
        one = slice(t, t + 1)
        alone, its = cg_batched(systems.product_of(A[one]), b[one], **options)
        assert_array_equal(x[one], alone)
        for name in ("iterations", "residual", "smallest_ritz", "num_products"):
            assert getattr(info, name)[t] == getattr(its, name)[0], name


def test_broken_tasks_leave_the_others_their_bits():
    A, b = systems.positive_definite(size=2)
    A[0], b[0] = np.diag([1.0, -1.0]), 1
    A[1] = np.nan
    x, info = cg_batched(systems.product_of(A), b, rtol=0, maxiter=5)
    alone, _ = cg_batched(systems.product_of(A[2:]), b[2:], rtol=0, maxiter=5)
    assert_array_equal(x[2:], alone)
    assert_array_equal(x[:2], 0)
    assert list(info.status[:2]) == [Status.BREAKDOWN, Status.NOT_FINITE]
    assert_allclose(info.residual[:2], np.linalg.norm(b[:2], axis=1), rtol=1e-15)


def test_the_layout_of_an_array_does_not_change_the_bits():
    A, b = systems.positive_definite(size=200)
    matvec = systems.product_of(A)
    x, _ = cg_batched(matvec, b, M=lambda r: 0.3 * r)
    y, _ = cg_batched(
        lambda v: np.asfortranarray(matvec(v)),
        np.asfortranarray(b),
        M=lambda r: np.asfortranarray(0.3 * r),
    )
    assert_array_equal(x, y)


@pytest.mark.parametrize("rtol", [0.0, 1e-5])
def test_the_identity_is_solved_in_one_step(rtol):
    b = np.random.default_rng(0).normal(size=(3, 7))
    x, info = cg_batched(identity, b, rtol=rtol, maxiter=5)
    assert_array_equal(x, b)
    assert_array_equal(info.iterations, 1)
    assert_array_equal(info.status, Status.CONVERGED)
    assert_array_equal(info.residual, 0)


@pytest.mark.parametrize("rtol", [0.0, 1e-5])
def test_zero_has_the_solution_zero(rtol):
    x, info = cg_batched(identity, np.zeros((2, 5)), rtol=rtol, maxiter=5)
    assert_array_equal(x, 0)
    assert_array_equal(info.num_products, 0)
    assert_array_equal(info.status, Status.CONVERGED)
    assert_array_equal(info.smallest_ritz, np.inf)


def test_zero_has_the_solution_zero_from_anywhere():
    A, b = systems.positive_definite()
    b[1] = 0
    x, info = cg_batched(systems.product_of(A), b, np.ones_like(b))
    assert_array_equal(x[1], 0)
    assert_array_equal(info.status, Status.CONVERGED)
    assert_allclose(x, systems.solution(A, b), rtol=1e-4, atol=1e-5)


def test_an_exact_x0_needs_no_step():
    A = np.array([[[2.0, 1.0], [1.0, 3.0]]])
    x, info = cg_batched(
        systems.product_of(A), np.array([[5.0, 10]]), np.array([[1.0, 3]])
    )
    assert_array_equal(x, [[1, 3]])
    assert info.iterations[0] == 0


@pytest.mark.parametrize(("dtype", "tiny"), [("d", 2.0**-400), ("f", 2.0**-40)])
def test_a_tiny_right_hand_side_gives_the_tiny_solution(dtype, tiny):
    A, b = (a.astype(dtype) for a in systems.positive_definite())
    x, info = cg_batched(systems.product_of(A), b)
    small, its = cg_batched(systems.product_of(A), b * b.dtype.type(tiny))
    assert_array_equal(small, x * b.dtype.type(tiny))
    assert_array_equal(its.iterations, info.iterations)


def test_no_product_is_made_once_all_tasks_have_ended():
    A, b = systems.positive_definite()
    matvec, calls = systems.product_of(A), []

    def counted(v):
        calls.append(1)
        return matvec(v)

    _, info = cg_batched(counted, b)
    assert len(calls) == info.iterations.max() == info.num_products.max()


def test_an_absolute_tolerance_is_one():
    A, b = systems.positive_definite()
    x, info = cg_batched(systems.product_of(A), b, rtol=0, atol=1e-3)
    assert_array_equal(info.tolerance, 1e-3)
    assert (systems.residual(A, x, b) <= 1e-3).all()
    _, fewer = cg_batched(systems.product_of(A), b, rtol=0, atol=1e-1)
    assert (fewer.iterations < info.iterations).all()


def test_convergence_on_the_last_step_counts():
    A, b = systems.positive_definite()
    _, free = cg_batched(systems.product_of(A), b)
    last = free.iterations.max()
    _, info = cg_batched(systems.product_of(A), b, maxiter=int(last))
    assert_array_equal(info.status, Status.CONVERGED)
    _, info = cg_batched(systems.product_of(A), b, maxiter=int(last) - 1)
    assert (info.status == Status.MAXITER).any()


def test_the_residual_is_what_it_is():
    A, b = systems.positive_definite()
    x, info = cg_batched(systems.product_of(A), b, rtol=0, maxiter=4)
    assert_allclose(info.residual, systems.residual(A, x, b), rtol=1e-12)
    assert_array_equal(info.iterations, 4)
    assert_array_equal(info.num_products, 4)
    assert_array_equal(info.status, Status.MAXITER)


@pytest.mark.parametrize("x0", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, lambda M: lambda r: M * r])
def test_a_preconditioner_for_each_parameter_leads_to_the_dense_solution(kind, x0):
    # (I + Λ⁻¹H) g = v is not symmetric, and plain CG on it stalls; CG on (H + Λ) x = v
    # with M = Λ⁻¹ does not.
    rng = np.random.default_rng(2)
    H, v = systems.positive_definite()
    lam = rng.uniform(0.1, 10, size=systems.P)
    A = H + np.diag(lam)
    first = rng.normal(size=v.shape) if x0 else None
    x, _ = cg_batched(
        systems.product_of(A), v, first, rtol=1e-13, M=kind(1 / lam), maxiter=40
    )
    assert_allclose(x, systems.solution(A, v), rtol=1e-10, atol=1e-12)
    unsymmetric = np.eye(systems.P) + H / lam[:, None]
    g, _ = cg_batched(systems.product_of(unsymmetric), v, rtol=1e-13, maxiter=40)
    assert np.abs(lam * x - g).max() > 1e-3


@pytest.mark.parametrize("M", [0.25, np.full((3, 1), 0.25), np.full(11, 0.25)])
def test_a_constant_preconditioner_changes_no_iterate(M):
    A, b = systems.positive_definite()
    plain, info = cg_batched(systems.product_of(A), b, rtol=0, maxiter=4)
    x, its = cg_batched(systems.product_of(A), b, rtol=0, maxiter=4, M=M)
    assert_allclose(x, plain, rtol=1e-13)
    assert_allclose(its.residual, info.residual, rtol=1e-11)


def test_one_step_is_parallel_to_b():
    A, b = systems.positive_definite()
    x, _ = CG(maxiter=1).solve(systems.product_of(A), b, M=1 / 2.0)
    ratio = x / b
    assert_allclose(ratio, np.broadcast_to(ratio[:, :1], b.shape), rtol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_right_hand_side_that_is_not_finite_ends_its_task_only(bad):
    A, b = systems.positive_definite()
    b[1, 2] = bad
    with np.errstate(invalid="ignore"):
        x, info = cg_batched(systems.product_of(A), b)
    assert list(info.status) == [0, Status.NOT_FINITE, 0]
    assert_array_equal(x[1], 0)


def test_a_step_that_would_overflow_is_a_breakdown():
    A, b = np.diag([1.0, -1.0 + 1e-16])[None] * 1e-308, np.ones((1, 2))
    x, info = cg_batched(systems.product_of(A), b, rtol=0, maxiter=4)
    assert np.isfinite(x).all()
    assert info.status[0] in {Status.BREAKDOWN, Status.MAXITER}


def test_the_complex_step_passes_through():
    A, b = systems.positive_definite()
    b_dot = np.random.default_rng(4).normal(size=b.shape)
    matvec = systems.product_of(A)
    x, _ = CG(4).solve(matvec, b + 1e-30j * b_dot)
    ahead, behind = (CG(4).solve(matvec, b + h * b_dot)[0] for h in (1e-6, -1e-6))
    assert_allclose(x.imag / 1e-30, (ahead - behind) / 2e-6, rtol=1e-7, atol=1e-8)
