"""``cg`` is SciPy's, and keeps the promise where SciPy does not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from scipy.sparse.linalg import cg as scipy_cg

from imaml_ref.solvers import Status, cg
from tests.helpers import systems


@pytest.fixture
def system():
    A, b = systems.positive_definite()
    return A[1], b[1]


OPTIONS = {
    "plain": {},
    "rtol": {"rtol": 1e-2},
    "atol": {"rtol": 0.0, "atol": 1e-2},
    "maxiter": {"maxiter": 4},
    "x0": {"x0": np.linspace(-1, 1, systems.P)},
    "x0 column": {"x0": np.linspace(-1, 1, systems.P)[:, None]},
    "x0 M b": {"x0": "Mb", "M": np.diag(np.linspace(0.5, 1, systems.P))},
    "x0 b": {"x0": "Mb"},
    "M": {"M": np.diag(np.linspace(0.5, 1, systems.P))},
    "sparse M": {"M": sparse.diags_array(np.linspace(0.5, 1, systems.P))},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_iterates_and_info_are_scipys(system, options):
    ours, theirs = [], []
    x, info = cg(*system, callback=ours.append, **options)
    y, expected = scipy_cg(
        *system, callback=lambda x: theirs.append(x.copy()), **options
    )
    assert info == expected
    assert len(ours) == len(theirs)
    assert_allclose(ours, theirs, rtol=1e-10, atol=1e-11)
    assert_allclose(x, y, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    "kind",
    [
        np.asarray,
        sparse.csr_array,
        sparse.coo_matrix,
        aslinearoperator,
        lambda A: lambda v: A @ v,
        lambda A: LinearOperator(A.shape, matvec=lambda v: A @ v),
    ],
)
def test_operators_of_all_kinds_give_the_solution(system, kind):
    A, b = system
    x, info = cg(kind(A), b, rtol=1e-12)
    assert info == 0
    assert_allclose(x, np.linalg.solve(A, b), rtol=1e-10)


def test_the_proof_costs_one_product(system):
    A, b = system
    products, steps = [], []

    def matvec(v):
        products.append(v)
        return A @ v

    assert cg(matvec, b, callback=steps.append)[1] == 0
    assert len(products) == len(steps) + 1


def test_a_function_may_precondition(system):
    A, b = system
    d = np.linspace(0.5, 1, systems.P)
    x, _ = cg(lambda v: A @ v, b, M=lambda r: d * r, maxiter=5)
    y, _ = scipy_cg(A, b, M=np.diag(d), maxiter=5)
    assert_allclose(x, y, rtol=1e-12)


def test_a_hermitian_system_is_solved_with_scipys_iterates():
    rng = np.random.default_rng(0)
    U, _ = np.linalg.qr(rng.normal(size=(9, 9)) + 1j * rng.normal(size=(9, 9)))
    A = (U * np.linspace(1, 9, 9)) @ U.conj().T
    b = rng.normal(size=9) + 1j * rng.normal(size=9)
    M = (U * np.linspace(1, 0.2, 9)) @ U.conj().T
    ours, theirs = [], []
    x, info = cg(A, b, M=M, callback=ours.append)
    scipy_cg(A, b, M=M, callback=lambda x: theirs.append(x.copy()))
    assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
    assert info == 0
    assert_allclose(A @ x, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("A_dtype", "b_dtype"),
    [
        ("f", "f"),
        ("f", "d"),
        ("d", "f"),
        ("d", "d"),
        ("l", "f"),
        ("d", "l"),
        ("D", "d"),
    ],
)
def test_the_dtype_is_scipys(A_dtype, b_dtype):
    A = np.array([[4, 1, 0], [1, 5, 2], [0, 2, 6]]).astype(A_dtype)
    b = np.array([1, 2, 3]).astype(b_dtype)
    assert cg(A, b)[0].dtype == scipy_cg(A, b)[0].dtype


def test_a_column_gives_a_vector(system):
    A, b = system
    x, _ = cg(A, b[:, None])
    assert_array_equal(x, cg(A, b)[0])


@pytest.mark.parametrize("seed", range(6))
def test_success_is_not_claimed_where_the_true_residual_is_large(seed):
    A, b = systems.ill_conditioned(seed)
    x, info = scipy_cg(A, b)
    assert info == 0
    assert systems.residual(A, x, b) > 1e-2 * np.linalg.norm(b)  # asked for: 1e-5
    x, info = cg(A, b)
    assert info > 0
    assert np.isfinite(x).all()


def test_a_restart_from_the_true_residual_reaches_the_tolerance():
    found = 0
    for seed in range(40):
        A, b = systems.ill_conditioned(seed)
        target = 0.02 * np.linalg.norm(b)
        y, claimed = scipy_cg(A, b, rtol=0.02)
        if claimed == 0 and systems.residual(A, y, b) > 1.1 * target:
            x, info = cg(A, b, rtol=0.02)
            assert info > 0 or systems.residual(A, x, b) < 1.01 * target
            found += info == 0
    assert found > 0


def test_a_tolerance_below_rounding_ends_with_info_above_zero(system):
    x, info = cg(*system, rtol=1e-20, maxiter=10_000)
    assert 0 < info < 1000
    assert_allclose(x, np.linalg.solve(*system), rtol=1e-12)


def test_convergence_on_the_last_step_is_success(system):
    steps = []
    cg(*system, callback=steps.append)
    assert cg(*system, maxiter=len(steps))[1] == 0
    assert scipy_cg(*system, maxiter=len(steps))[1] == len(steps)
    assert cg(*system, maxiter=len(steps) - 1)[1] == len(steps) - 1


def test_the_identity_is_solved_in_one_step():
    steps = []
    x, info = cg(np.eye(3), [1, 2, 3], rtol=0, callback=steps.append)
    assert_array_equal(x, [1, 2, 3])
    assert info == 0
    assert len(steps) == 1


@pytest.mark.parametrize("x0", [None, np.ones(3)])
def test_zero_has_the_solution_zero(x0):
    x, info = cg(np.diag([1.0, 2, 3]), np.zeros(3), x0=x0)
    assert_array_equal(x, 0)
    assert info == 0


def test_a_tiny_right_hand_side_gives_the_tiny_solution(system):
    A, b = system
    x, info = cg(A, 1e-12 * b)
    assert info == 0
    assert_allclose(x, 1e-12 * cg(A, b)[0], rtol=1e-11)


def test_a_saddle_gives_no_nan():
    x, info = cg(np.diag([1.0, -1.0]), np.ones(2))
    assert_array_equal(x, 0)
    assert info == -Status.BREAKDOWN


def test_an_indefinite_system_is_solved_or_not_claimed():
    for seed in range(20):
        A, b = systems.indefinite(seed=seed)
        x, info = cg(A[0], b[0])
        assert np.isfinite(x).all()
        assert info != 0 or systems.residual(A[0], x, b[0]) <= 1.01e-5 * np.linalg.norm(
            b
        )


@pytest.mark.parametrize(
    ("b", "M", "status"),
    [
        ([1.0, np.nan], None, Status.NOT_FINITE),
        ([1.0, 2.0], -np.eye(2), Status.INDEFINITE_PRECONDITIONER),
    ],
)
def test_what_cannot_go_on_has_an_info_below_zero(b, M, status):
    x, info = cg(np.eye(2), b, M=M)
    assert_array_equal(x, 0)
    assert info == -status


def test_the_callback_may_keep_what_it_gets(system):
    kept = []
    cg(*system, maxiter=4, callback=kept.append)
    assert len({tuple(x) for x in kept}) == 4


BAD = {
    "square": (ValueError, {"A": np.ones((2, 3))}, "A must have shape"),
    "b": (ValueError, {"b": np.ones(4)}, "shape"),
    "wide b": (ValueError, {"b": np.ones((3, 3))}, "b must have shape"),
    "M": (ValueError, {"M": np.eye(4)}, "M must have shape"),
    "x0": (ValueError, {"x0": np.ones(4)}, "x0 must have shape"),
    "atol": (ValueError, {"atol": -1.0}, "atol"),
    "maxiter": (ValueError, {"maxiter": 0}, "maxiter"),
    "wider": (
        TypeError,
        {"A": lambda v: v.astype("d"), "b": np.ones(3, "f")},
        "float64",
    ),
}


@pytest.mark.parametrize(("error", "changes", "text"), BAD.values(), ids=BAD.keys())
def test_bad_arguments_are_named(error, changes, text):
    arguments = {"A": np.eye(3), "b": np.ones(3), **changes}
    with pytest.raises(error, match=text):
        cg(**arguments)


A3 = np.diag([1.0, 2, 3])
WRONG = {
    "b a number": (ValueError, (A3, 2.0), r"b must have shape \(n,\).*got \(\)"),
    "b none": (ValueError, (A3, None), r"b must have shape \(n,\)"),
    "b a row": (ValueError, (A3, np.ones((1, 3))), r"b must have shape .*got \(1, 3\)"),
    "b shorter": (ValueError, (A3, np.ones(2)), "A must have shape"),
    "function, number": (ValueError, (lambda v: v, 2.0), "b must have shape"),
    "A a number": (TypeError, (2.0, np.ones(3)), "A must be an array.* got float"),
    "A a list": (TypeError, ([[1.0]], np.ones(1)), "A must be an array.* got list"),
    "x0 a word": (ValueError, (A3, np.ones(3), "bM"), "x0 must be an array or 'Mb'"),
    "x0 a number": (ValueError, (A3, np.ones(3), 1.0), "x0 must have shape"),
}


@pytest.mark.parametrize(("error", "given", "text"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_system_is_refused_in_one_line(error, given, text):
    with pytest.raises(error, match=text) as caught:
        cg(*given)
    assert "\n" not in str(caught.value)


def test_nothing_has_the_solution_nothing():
    x, info = cg(np.zeros((0, 0)), np.zeros(0))
    assert (x.shape, info) == (scipy_cg(np.zeros((0, 0)), np.zeros(0))[0].shape, 0)
