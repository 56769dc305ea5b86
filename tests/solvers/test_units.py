"""No solver minds in which units a system is written: A, b, M and x₀ of any size.

The witness is A x = b written down: A is diagonal, of a few eigenvalues.
"""

import warnings
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.compute import norm
from imaml_ref.compute.lengths import power_of_two
from imaml_ref.solvers import Status, cg, cg_batched, smallest_eigenvalue
from tests.helpers import systems

EIGENVALUES = np.array([1.0, 2, 3])
SOLVERS = [
    ir.CG(3),
    ir.CG(30),
    ir.CG(9, rtol=1e-6),
    ir.CertifiedCG(rtol=1e-6),
    ir.MINRES(rtol=1e-6),
    ir.Dense(),
]
SIZES = [
    *((np.float64, s) for s in (1e-300, 1e-170, 1e-20, 1e20, 1e170, 1e300)),
    *((np.float32, s) for s in (1e-37, 1e-25, 1e-19, 1e19, 1e25, 1e37)),
]


def near(dtype):
    return 40 * np.finfo(dtype).eps


def solved(solver, dtype, size_A, size_b, M=None):
    """Return x, in the size it must have, and the info, of (size A) x = size b."""
    A = (EIGENVALUES * size_A).astype(dtype)
    x, info = solver.solve(lambda v: A * v, np.full((2, 3), size_b, dtype), M)
    return x / (dtype(size_b) / A), info


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize(("dtype", "size"), SIZES, ids=str)
def test_a_right_hand_side_of_any_size_has_its_solution(solver, dtype, size):
    ratio, info = solved(solver, dtype, 1, size)
    assert_allclose(ratio, 1, rtol=near(dtype))
    assert set(info.status) <= {Status.CONVERGED, Status.MAXITER}
    assert (info.residual <= near(dtype) * size * 2).all()
    assert_allclose(info.smallest_ritz, 1, rtol=near(dtype))


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize(("dtype", "size"), SIZES, ids=str)
def test_an_operator_of_any_size_has_its_solution(solver, dtype, size):
    for size_b, M in product((1, size), (None, 1 / size)):
        ratio, info = solved(solver, dtype, size, size_b, M)
        assert_allclose(ratio, 1, rtol=near(dtype), err_msg=f"{size_b}, {M}")
        assert_allclose(
            info.smallest_ritz / size, 1, rtol=0.1, err_msg=f"{size_b}, {M}"
        )
        bad = {Status.SINGULAR, Status.NOT_FINITE, Status.INDEFINITE_PRECONDITIONER}
        assert not bad & set(info.status), (size_b, M)
        assert Status.BREAKDOWN not in info.status, (size_b, M)


@pytest.mark.parametrize(("dtype", "size"), SIZES, ids=str)
def test_scipys_cg_of_any_size(dtype, size):
    A, b = np.diag(EIGENVALUES).astype(dtype), np.full(3, size, dtype)
    for x0 in (None, np.full(3, dtype(size) / 2), "Mb"):
        x, info = cg(A, b, x0, rtol=1e-6)
        assert info == 0
        assert_allclose(x / (b / EIGENVALUES), 1, rtol=near(dtype))


def test_x0_may_be_of_another_size_than_b():
    A = EIGENVALUES
    for b, x0 in ((1e-170, 1.0), (1.0, 1e170), (1e170, 1.0)):
        largest = max(b, x0)
        x, _ = cg_batched(
            lambda v: A * v, np.full((1, 3), b), np.full((1, 3), x0), rtol=0, maxiter=3
        )
        # x − x₀ is as good as x₀ is.
        assert (np.abs(x - b / A) <= 1e-14 * largest).all()


BELOW = [
    *((np.float32, k) for k in (5, 12, 17, 20, 30)),
    *((np.float64, k) for k in (5, 140, 148, 160, 170)),
]


@pytest.mark.parametrize(("dtype", "power"), BELOW)
def test_info_0_is_true_however_far_x0_is_above_the_solution(dtype, power):
    A = np.diag(EIGENVALUES).astype(dtype)
    b = np.full(3, 10.0**-power).astype(dtype)
    x, info = cg(A, b, np.ones(3, dtype), rtol=1e-3)
    true = norm((b - A @ x)[None])[0] <= 1e-3 * norm(b[None])[0]
    assert info >= 0
    assert (info == 0) == true
    again, info = cg(A, b, x, rtol=1e-3)  # in units of what is left of it
    assert info == 0
    assert_allclose(again / b, 1 / EIGENVALUES, rtol=2e-3)


def test_an_absolute_tolerance_far_above_b_is_met_at_once():
    b = np.full((1, 3), 1e-300)
    for solver in (ir.CG(3, atol=1e20), ir.CertifiedCG(atol=1e20)):
        x, info = solver.solve(lambda v: EIGENVALUES * v, b)
        assert_array_equal(x, 0)
        assert info.status[0] == Status.CONVERGED


def test_a_solution_that_has_no_float_is_not_finite():
    with np.errstate(over="ignore", invalid="ignore"):
        for solver in (ir.CG(3), ir.CertifiedCG(), ir.MINRES(), ir.Dense()):
            _, info = solver.solve(lambda v: 1e-200 * v, np.full((1, 3), 1e200))
            assert info.status[0] == Status.NOT_FINITE


@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_curvature_is_reported_in_its_own_units(size):
    saddle, b = np.array([1.0, -3.0]), size * np.array([[1.0, 2.0]])
    for M in (None, 4.0, np.array([2.0, 2.0])):
        m = 1.0 if M is None else np.max(M)
        _, info = ir.CG(1).solve(lambda v: saddle * v, b, M)
        assert_allclose(info.first_negative, -11 * (m * size) ** 2, rtol=1e-14)
        assert_allclose(info.smallest_rayleigh, -11 / 5, rtol=1e-14)
    _, info = ir.MINRES(1, rtol=0).solve(lambda v: saddle * v, b, 4.0)
    assert_allclose(info.first_negative, 4 * -11 / 5, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1.0, 1e170, 1e300])
def test_lanczos_of_any_size(size):
    found, error = smallest_eigenvalue(lambda v: EIGENVALUES * v, np.full((1, 3), size))
    assert_allclose(found, 1, rtol=1e-14)
    found, error = smallest_eigenvalue(
        lambda v: size * EIGENVALUES * v, np.ones((1, 3))
    )
    assert_allclose(found / size, 1, rtol=1e-13)
    assert (error / size <= 1e-13).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_norm_has_no_range_to_leave(dtype):
    a = np.random.default_rng(0).normal(size=(1, 50)).astype(dtype)
    for power in (-100, -40, 0, 40, 100):
        scaled = np.ldexp(a, power)
        assert_array_equal(norm(scaled), np.ldexp(norm(a), power))
    kind = np.finfo(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ends = np.array(
            [[0, 0], [kind.smallest_subnormal, 0], [kind.max / 2, 0]], dtype
        )
        assert_array_equal(norm(ends), ends.max(1))
        assert_array_equal(power_of_two(ends) > 0, True)
        assert_array_equal(np.isfinite(1 / power_of_two(ends)), True)


def test_a_vector_beside_infinity_is_left_as_it_is():
    a = np.array([[np.nan, 1.0], [np.inf, 1.0], [0.0, 0.0]])
    assert_array_equal(power_of_two(a), 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lam", [1.0, 1e6])
def test_a_system_that_is_solved_says_so_however_long_it_goes_on(dtype, lam):
    rng = np.random.default_rng(0)
    H, b = rng.uniform(0, 1, 40).astype(dtype), rng.normal(size=(1, 40)).astype(dtype)
    x, info = ir.CG(400).solve(lambda v: H * v + dtype(lam) * v, b, M=1 / lam)
    assert info.status[0] == Status.CONVERGED
    assert_allclose(x, b / (H + dtype(lam)), rtol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("largest", "conduct"),
    [(0.01, "continue"), (0.1, "refuse"), (1.0, "truncate"), (1e6, "refuse")],
)
@pytest.mark.parametrize(("dtype", "steps"), [(np.float32, 44), (np.float64, 132)])
def test_a_definite_system_stays_so_however_long_it_goes_on(
    dtype, steps, largest, conduct
):
    A = np.empty((20, 11, 11))
    for seed in range(20):
        Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(11, 11)))
        A[seed] = largest * (Q * np.geomspace(0.1, 1, 11)) @ Q.T
    A, b = A.astype(dtype), np.random.default_rng(0).normal(size=(20, 11)).astype(dtype)
    for M in (None, dtype(10 / largest)):
        solver = ir.CG(steps, on_negative_curvature=conduct)
        x, info = solver.solve(systems.product_of(A), b, M)
        exact = np.linalg.solve(A.astype(float), b[..., None].astype(float))[..., 0]
        error = np.linalg.norm(x - exact, axis=1) / np.linalg.norm(exact, axis=1)
        assert error.max() <= 10 * 10 * np.finfo(dtype).eps  # κ = 10
        assert (info.negative_curvature == 0).all()
        # A itself is rounded, and a quotient of what is: ε ‖A‖.
        least = (0.1 - 11 * np.finfo(dtype).eps) * largest
        assert (info.smallest_rayleigh >= least).all()
        assert (info.status == Status.CONVERGED).all()


LAMS = [
    *((np.float32, lam) for lam in (1e-37, 1e-25, 1e-19, 1.0, 1e19, 1e30, 1e37)),
    *((np.float64, lam) for lam in (1e-307, 1e-170, 1.0, 1e170, 1e307)),
]


@pytest.mark.parametrize(
    ("dtype", "lam", "conduct"),
    [
        *((*at, "continue") for at in LAMS),
        *(
            (*LAMS[i], conduct)
            for i in (0, 6, 7, -1)
            for conduct in ("truncate", "refuse")
        ),
    ],
)
def test_a_strength_of_any_size_has_its_solution_without_a_word(dtype, lam, conduct):
    H, lam = np.array([1, 1.5, 2, 2.5, 3, 3.2], dtype), dtype(lam)
    # Many parameters: ‖r‖ is far above its largest entry.
    H, b = np.tile(H, 1000), np.random.default_rng(0).normal(size=(2, 6000))
    b = b.astype(dtype)
    solvers = [
        *(ir.CG(n, on_negative_curvature=conduct) for n in (6, 30)),
        ir.CertifiedCG(rtol=1e-6, on_negative_curvature=conduct),
    ]
    for solver, M in product(solvers, (1 / lam, 1 / np.full(6000, lam))):
        with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
            warnings.simplefilter("error")
            x, info = solver.solve(lambda v: H * v + lam * v, b, M)
        assert (np.abs(x * (H + lam) - b) <= 1e-5 * np.abs(b).max()).all()
        assert set(info.status) <= {Status.CONVERGED, Status.MAXITER}


@pytest.mark.parametrize("M", [-1.0, 0.0, np.array([[-1.0], [1.0]])])
def test_without_a_step_no_ritz_value_is_known(M):
    with np.errstate(divide="raise", invalid="raise"):
        _, info = ir.CG().solve(lambda v: EIGENVALUES * v, np.ones((2, 3)), M)
    assert info.status[0] == Status.INDEFINITE_PRECONDITIONER
    assert info.smallest_ritz[0] == np.inf
    assert_allclose(info.smallest_ritz[1:][info.iterations[1:] > 0], 1, rtol=1e-12)


def test_a_residual_says_whether_it_was_measured():
    b = np.random.default_rng(0).normal(size=(1, 3))
    for solver in SOLVERS:
        x, info = solver.solve(lambda v: EIGENVALUES * v, b)
        true = np.linalg.norm(b - EIGENVALUES * x)
        assert info.measured[0] == (not isinstance(solver, ir.CG))
        assert ("recursive residual" in info.message(0)) == (not info.measured[0])
        if info.measured[0]:
            assert abs(info.residual[0] - true) < 1e-15
