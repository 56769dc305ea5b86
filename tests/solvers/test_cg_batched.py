"""Batched CG is CG, for every task as if it were alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import cg as scipy_cg

from imaml_ref.solvers import CG, Status, cg_batched
from imaml_ref.solvers.diagnostics import quotients
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    A, b = (a.astype(dtype) for a in systems.positive_definite())
    x, info = cg_batched(systems.product_of(A), b, M=np.full(systems.P, 0.5, dtype))
    assert x.dtype == dtype
    assert info.residual.dtype == dtype
    expected = systems.solution(A, b)
    assert_allclose(x, expected, rtol=1e-3, atol=1e-4)


def test_the_complex_step_passes_through():
    A, b = systems.positive_definite()
    b_dot = np.random.default_rng(4).normal(size=b.shape)
    matvec = systems.product_of(A)
    x, _ = CG(4).solve(matvec, b + 1e-30j * b_dot)
    ahead, behind = (CG(4).solve(matvec, b + h * b_dot)[0] for h in (1e-6, -1e-6))
    assert_allclose(x.imag / 1e-30, (ahead - behind) / 2e-6, rtol=1e-7, atol=1e-8)


def test_arguments_are_not_written_to():
    A, b = systems.positive_definite()
    x0 = np.ones_like(b)
    kept, iterates = b.copy(), []
    cg_batched(systems.product_of(A), b, x0, maxiter=3, callback=iterates.append)
    assert_array_equal(b, kept)
    assert_array_equal(x0, 1)
    assert np.abs(iterates[0] - iterates[2]).max() > 0.01


BAD = {
    "dtype": (TypeError, {"matvec": lambda v: v.astype("f")}, "float32"),
    "shape": (ValueError, {"matvec": lambda v: v[:, :1]}, r"shape \(2, 3\)"),
    "integer": (TypeError, {"b": np.ones((2, 3), int)}, "floating"),
    "one axis": (ValueError, {"b": np.ones(3)}, r"\(T, P\)"),
    "no array": (TypeError, {"b": 2.0}, "b must be a NumPy or CuPy array"),
    "nothing": (ValueError, {"b": np.ones((2, 0))}, r"\(T, P\)"),
    "a matrix": (TypeError, {"matvec": np.eye(3)}, "matvec must be a function"),
    "no product": (
        TypeError,
        {"matvec": lambda v: None},
        "what matvec returns must be a NumPy or CuPy array",
    ),
    "complex": (TypeError, {"b": 1j * np.ones((2, 3))}, "b must be real"),
    "half complex": (TypeError, {"b": np.full((2, 3), 1 + 1e-7j)}, "b must be real"),
    "x0 list": (TypeError, {"x0": [[1.0]]}, "x0 must be a NumPy or CuPy array"),
    "M word": (TypeError, {"M": "x"}, "M must be a number"),
    "M complex": (TypeError, {"M": 1j}, "M must be real"),
    "x0 shape": (ValueError, {"x0": np.ones((2, 4))}, "x0"),
    "x0 dtype": (TypeError, {"x0": np.ones((2, 3), "f")}, "x0"),
    "M shape": (ValueError, {"M": np.ones((4, 2, 3))}, "M of shape"),
    "M dtype": (TypeError, {"M": np.ones(3, "f")}, "M must be"),
    "rtol": (ValueError, {"rtol": -1.0}, "rtol"),
    "atol": (ValueError, {"atol": np.nan}, "atol"),
    "maxiter": (ValueError, {"maxiter": 0}, "maxiter"),
    "conduct": (ValueError, {"on_negative_curvature": "stop"}, "'truncate'"),
}


@pytest.mark.parametrize(("error", "changes", "text"), BAD.values(), ids=BAD.keys())
def test_bad_arguments_are_named(error, changes, text):
    arguments = {"matvec": identity, "b": np.ones((2, 3)), **changes}
    with pytest.raises(error, match=text):
        cg_batched(**arguments)


@pytest.mark.parametrize(
    "options",
    [
        {"maxiter": 0},
        {"maxiter": 2.5},
        {"rtol": -1e-9},
        {"atol": float("inf")},
        {"on_negative_curvature": "ignore"},
    ],
)
def test_a_bag_of_bad_options_is_refused_when_made(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        CG(**options)


def test_a_direction_whose_square_underflows_says_nothing_of_the_spectrum():
    c, squared_p = np.array([[4e-324], [6.0]]), np.array([[0.0], [2.0]])
    seen = np.array([[True], [True]])
    assert quotients(c, squared_p, seen) == [3.0]
    assert quotients(c[:1], squared_p[:1], seen[:1]) == [np.inf]
