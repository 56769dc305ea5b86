"""MINRES is SciPy's, for every task at once."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import minres as scipy_minres

from imaml_ref.solvers import CG, MINRES, Status
from imaml_ref.solvers.minres import certify
from imaml_ref.solvers.minres_recurrence import advance, begin
from imaml_ref.solvers.system import make_system
from tests.helpers import systems


def stacked(*seeds, size=23):
    pairs = [systems.indefinite(size=size, seed=seed) for seed in seeds]
    return (np.concatenate(a) for a in zip(*pairs, strict=True))


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("num_steps", [1, 2, 3, 7])
def test_the_iterates_are_scipys(scaled, num_steps):
    A, b = stacked(0, 1)
    d = np.random.default_rng(2).uniform(0.5, 2, size=b.shape) if scaled else None
    x, info = MINRES(num_steps, rtol=0).solve(systems.product_of(A), b, d)
    for t in range(len(b)):
        M = np.diag(d[t]) if scaled else None
        y, _ = scipy_minres(A[t], b[t], M=M, maxiter=num_steps, rtol=1e-20)
        assert_allclose(x[t], y, rtol=1e-11, atol=1e-13)
    assert_allclose(info.residual, systems.residual(A, x, b), rtol=1e-12)
    assert_array_equal(info.num_products, num_steps + 1)
    assert_array_equal(info.status, Status.MAXITER)


def test_each_step_has_the_least_residual_on_its_krylov_space():
    A, b = systems.indefinite()
    for k in (1, 3, 6):
        x, _ = MINRES(k, rtol=0).solve(systems.product_of(A), b)
        powers = [np.linalg.matrix_power(A[0], j) @ b[0] for j in range(k)]
        K, _ = np.linalg.qr(np.stack(powers).T)
        best = K @ np.linalg.lstsq(A[0] @ K, b[0])[0]
        assert_allclose(x[0], best, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("M", [None, 0.1, np.linspace(0.5, 2, 23)])
def test_indefinite_systems_are_solved(M):
    A, b = stacked(0, 1, 2)
    x, info = MINRES(rtol=1e-9).solve(systems.product_of(A), b, M)
    assert_array_equal(info.status, Status.CONVERGED)
    assert (systems.residual(A, x, b) <= 1.01e-9 * np.linalg.norm(b, axis=1)).all()
    assert_allclose(x, systems.solution(A, b), rtol=1e-7, atol=1e-8)
    assert (info.negative_curvature >= 3).all()
    if np.ndim(M) == 0:
        assert_array_equal(info.negative_curvature, 3)  # the inertia of A
        assert_allclose(info.smallest_ritz, np.linalg.eigvalsh(A)[:, 0], rtol=1e-8)
        assert (info.smallest_rayleigh >= info.smallest_ritz - 1e-12).all()


def test_a_preconditioned_ritz_value_belongs_to_the_product():
    A, b = systems.indefinite()
    M = np.linspace(0.5, 2, systems.P)
    _, info = MINRES(rtol=1e-10).solve(systems.product_of(A), b, M)
    root = np.sqrt(M)
    whole = np.linalg.eigvalsh(root[:, None] * A[0] * root)[0]
    assert_allclose(info.smallest_ritz, [whole], rtol=1e-7)


def test_the_recursive_residual_is_the_true_one():
    A, b = stacked(0, 1)
    M = np.random.default_rng(2).uniform(0.5, 2, size=b.shape)
    system = make_system(systems.product_of(A), b, rtol=0.0, atol=0.0, M=M)
    state = begin(system)
    for _ in range(7):
        state, _ = advance(system, state)
        assert_allclose(
            state.r, system.b - system.matvec(state.x), rtol=1e-11, atol=1e-12
        )


def test_the_true_residual_decides():
    A, b = stacked(0, 1)
    system = make_system(systems.product_of(A), b, rtol=1e-9, atol=0.0)
    x = systems.solution(A, b) / system.unit[:, None]
    state = begin(system)._replace(x=x)
    assert_array_equal(certify(system, state, [], [])[1].status, Status.CONVERGED)
    claim = np.full(2, Status.CONVERGED)
    wrong = state._replace(x=0.9 * state.x, status=claim)
    assert_array_equal(certify(system, wrong, [], [])[1].status, Status.STAGNATION)


def test_a_product_that_is_not_finite_ends_its_task_only():
    A, b = stacked(0, 1)
    products = []

    def matvec(v):
        products.append(systems.product_of(A)(v))
        if len(products) == 4:
            products[-1][0] = np.nan
        return products[-1]

    x, info = MINRES(rtol=1e-9).solve(matvec, b)
    before, _ = MINRES(3, rtol=0).solve(systems.product_of(A), b)
    assert_array_equal(x[0], before[0])
    assert list(info.status) == [Status.NOT_FINITE, Status.CONVERGED]
    alone, _ = MINRES(rtol=1e-9).solve(systems.product_of(A[1:]), b[1:])
    assert_array_equal(x[1:], alone)


def test_the_saddle_that_stops_cg_is_solved():
    x, info = MINRES().solve(lambda v: v * np.array([1.0, -1]), np.ones((1, 2)))
    assert_allclose(x, [[1, -1]], rtol=1e-14)
    assert info.negative_curvature[0] == 1
    assert info.first_negative_step[0] == 1
    assert info.status[0] == Status.CONVERGED


def test_a_singular_system_ends_at_the_least_residual():
    A = np.diag([2.0, 1.0, 0.0])[None]
    b = np.array([[2.0, 3.0, 4.0]])
    x, info = MINRES().solve(systems.product_of(A), b)
    assert info.status[0] == Status.SINGULAR
    best = np.linalg.lstsq(A[0], b[0])[0]
    assert_allclose(x[0, :2], best[:2], rtol=1e-13)
    assert_allclose(info.residual, systems.residual(A, best, b), rtol=1e-13)


def test_negative_curvature_is_what_cg_meets():
    A, b = stacked(0, 1, 2)
    _, ours = MINRES(9, rtol=0).solve(systems.product_of(A), b)
    _, cg = CG(9).solve(systems.product_of(A), b)
    assert_array_equal(ours.negative_curvature, cg.negative_curvature)
    assert_array_equal(ours.first_negative_step, cg.first_negative_step)
    assert_allclose(ours.smallest_ritz, cg.smallest_ritz, rtol=1e-9)
    assert (cg.negative_curvature > 0).all()


def test_a_task_has_the_bits_of_a_run_on_its_own():
    A, b = stacked(0, 1, 2)
    A[1] = np.eye(23)
    solver = MINRES(maxiter=200, rtol=1e-8)
    x, info = solver.solve(systems.product_of(A), b)
    assert len(set(info.iterations)) > 1
    for t in range(3):
        alone, its = solver.solve(systems.product_of(A[t : t + 1]), b[t : t + 1])
        assert_array_equal(x[t : t + 1], alone)
        assert info.iterations[t] == its.iterations[0]
        assert info.residual[t] == its.residual[0]


def test_a_task_that_has_ended_stays_finite_however_long_the_others_take():
    spectra = np.linspace(1, 2, 23), np.geomspace(1e-4, 1e4, 23)
    A = np.stack([1e8 * np.diag(spectra[0]), np.diag(spectra[1])])
    b = np.full((2, 23), 1e6)
    x, info = MINRES(maxiter=3000, rtol=1e-12).solve(systems.product_of(A), b)
    assert info.status[0] == Status.CONVERGED
    assert info.iterations[1] > 3 * info.iterations[0]
    assert_allclose(x[0], systems.solution(A, b)[0], rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_claim_below_rounding_is_refuted(dtype):
    A, b = (a.astype(dtype) for a in systems.indefinite())
    x, info = MINRES(rtol=1e-30, maxiter=500).solve(systems.product_of(A), b)
    assert x.dtype == dtype
    assert info.status[0] in {Status.STAGNATION, Status.MAXITER, Status.SINGULAR}
    assert_allclose(info.residual, systems.residual(A, x, b), atol=1e-5)
    assert (info.residual < 100 * np.finfo(dtype).eps * np.linalg.norm(b)).all()


def test_zero_not_finite_and_a_bad_preconditioner():
    b = np.array([[0.0, 0], [1, np.nan], [1, 2]])
    x, info = MINRES().solve(lambda v: v, b, M=np.array([[1.0], [1.0], [-1.0]]))
    assert_array_equal(x, 0)
    assert list(info.status) == [
        Status.CONVERGED,
        Status.NOT_FINITE,
        Status.INDEFINITE_PRECONDITIONER,
    ]


@pytest.mark.parametrize("options", [{"maxiter": 0}, {"rtol": -1.0}, {"atol": None}])
def test_bad_options_are_refused_when_made(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        MINRES(**options)
