"""Nyström's inverse is the dense formula, and its preconditioner positive definite."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.solvers import (
    CertifiedCG,
    Nystrom,
    PreconditionedCG,
    Status,
    dense_matrix,
)
from tests.helpers import systems

T, P = 3, 17
LAM = np.linspace(0.4, 1.7, P)
SKETCHES = ["gaussian", "columns"]


def low_rank(rank, size=P, tail=0.0):
    """Return H (T, P, P), positive semidefinite, of other eigenvectors in each task."""
    rng = np.random.default_rng(rank)
    spectrum = np.full(size, tail)
    spectrum[:rank] = np.geomspace(30, 2, rank)
    return np.stack([systems.symmetric(spectrum, rng) for _ in range(T)])


def right_hand_side(size=P):
    return np.random.default_rng(9).normal(size=(T, size))


def approximated(H, lam, omega):
    """Return Ĥ of one task: K Ω (Ωᵀ K Ω)⁺ Ωᵀ K in the scale of Λ."""
    root = np.sqrt(lam * np.ones(len(H)))
    K = H / root[:, None] / root
    core = np.linalg.pinv(omega.T @ K @ omega, rcond=1e-10, hermitian=True)
    return root[:, None] * (K @ omega @ core @ omega.T @ K) * root


@pytest.mark.parametrize("sketch", SKETCHES)
@pytest.mark.parametrize("lam", [0.3, LAM], ids=["scalar", "vector"])
@pytest.mark.parametrize(("rank", "tail"), [(4, 0.2), (9, 0.05), (4, 0.0)])
def test_the_inverse_is_the_dense_formula(sketch, lam, rank, tail):
    H, b, solver = low_rank(6, tail=tail), right_hand_side(), Nystrom(rank, sketch, 3)
    A = H + lam * np.eye(P)
    x, info = solver.solve(systems.product_of(A), b, 1 / lam)
    for t in range(T):
        dense = approximated(H[t], lam, solver.omega(P)) + lam * np.eye(P)
        assert_allclose(x[t], np.linalg.solve(dense, b[t]), rtol=1e-8, atol=1e-9)
    assert_array_equal(info.num_products, rank + 1)
    assert_allclose(info.residual, systems.residual(A, x, b), rtol=1e-9)


def test_columns_are_hataya_and_yamadas_in_rational_numbers():
    """(H_k + ρI)⁻¹ b = b/ρ − H_c (H_kk + H_cᵀ H_c / ρ)⁻¹ H_cᵀ b / ρ², r = 1."""
    H = [[Fraction(n) for n in row] for row in ((4, 1, 2), (1, 3, 1), (2, 1, 5))]
    rho, b = Fraction(3, 4), [Fraction(1), Fraction(-2), Fraction(7, 2)]
    solver = Nystrom(1, "columns", seed=2)
    (chosen,) = np.flatnonzero(solver.omega(3)[:, 0])
    column = [row[chosen] for row in H]
    inside = column[chosen] + systems.inner(column, column) / rho
    along = systems.inner(column, b) / inside / rho**2
    want = [u / rho - c * along for u, c in zip(b, column, strict=True)]
    A = np.array(H, float) + float(rho) * np.eye(3)
    x, _ = solver.solve(lambda v: v @ A, np.array([b], float), 1 / float(rho))
    assert_allclose(x[0], [float(v) for v in want], rtol=1e-13)


@pytest.mark.parametrize("lam", [0.3, LAM], ids=["scalar", "vector"])
def test_a_rank_that_suffices_is_exact(lam):
    H, b = low_rank(6), right_hand_side()
    A = H + lam * np.eye(P)
    for rank in (6, 9, 40):
        x, info = Nystrom(rank, rtol=1e-9).solve(systems.product_of(A), b, 1 / lam)
        assert_array_equal(info.status, Status.CONVERGED)
        assert_allclose(x, systems.solution(A, b), rtol=1e-9, atol=1e-10)
        assert_array_equal(info.num_products, min(rank, P) + 1)
    solver = Nystrom(40, "columns", rtol=1e-9)
    x, info = solver.solve(systems.product_of(A), b, 1 / lam)
    assert_array_equal(info.status, Status.CONVERGED)
    _, info = Nystrom(5, rtol=1e-9).solve(systems.product_of(A), b, 1 / lam)
    assert_array_equal(info.status, Status.MAXITER)


@pytest.mark.parametrize("sketch", SKETCHES)
def test_a_sketch_is_below_the_matrix(sketch):
    """0 ⪯ Ĥ ⪯ H, so that (Ĥ + Λ)⁻¹ ⪰ A⁻¹."""
    H, b = low_rank(6, tail=0.1), right_hand_side()
    A = H + 0.3 * np.eye(P)
    inverse, _ = Nystrom(5, sketch).sketched(systems.product_of(A), b, 1 / 0.3)
    X = dense_matrix(lambda v: inverse(v, 1), b)
    H_hat = np.linalg.inv(X) - 0.3 * np.eye(P)
    for above in (H_hat, H - H_hat):
        values = np.linalg.eigvalsh((above + above.swapaxes(1, 2)) / 2)
        assert (values >= -1e-10).all()
        assert (values.max(1) > 0.1).all()


@pytest.mark.parametrize("lam", [0.3, LAM], ids=["scalar", "vector"])
def test_the_preconditioner_is_its_formula(lam):
    """M = Λ^−½ (c (I − U Uᵀ) + U (1 + θ)⁻¹ Uᵀ) Λ^−½ with the eigenpairs of K̂."""
    H, b, solver = low_rank(6, tail=0.1), right_hand_side(), Nystrom(5, seed=4)
    root = np.sqrt(lam * np.ones(P))
    A = H + lam * np.eye(P)
    M, products = solver.prepare(systems.product_of(A), b, 1 / lam)
    assert products == 5
    found = dense_matrix(M, b)
    for t in range(T):
        K_hat = approximated(H[t], lam, solver.omega(P)) / root[:, None] / root
        theta, U = (a[..., -5:] for a in np.linalg.eigh(K_hat))
        want = (U / (1 + theta)) @ U.T + (np.eye(P) - U @ U.T) / (1 + theta[0])
        assert_allclose(found[t], want / root[:, None] / root, rtol=1e-8, atol=1e-9)


def test_cg_needs_one_step_where_the_sketch_has_seen_all():
    H, b = low_rank(4), right_hand_side()
    A = H + 0.3 * np.eye(P)
    solver = PreconditionedCG(rtol=1e-10, by=Nystrom(6))
    x, info = solver.solve(systems.product_of(A), b, 1 / 0.3)
    assert_array_equal(info.iterations, 1)
    assert_array_equal(info.num_products, 6 + 1 + 1)  # sketch, step, proof
    assert_allclose(x, systems.solution(A, b), rtol=1e-8, atol=1e-9)


def test_cg_is_faster_by_what_the_sketch_saw():
    H, b = low_rank(12, size=60, tail=0.01), right_hand_side(60)
    A = H + 0.02 * np.eye(60)
    _, plain = CertifiedCG(rtol=1e-8).solve(systems.product_of(A), b, 50.0)
    solver = PreconditionedCG(rtol=1e-8, by=Nystrom(16))
    x, info = solver.solve(systems.product_of(A), b, 50.0)
    assert_array_equal(info.status, Status.CONVERGED)
    assert (info.iterations <= plain.iterations - 3).all()
    assert_allclose(x, systems.solution(A, b), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("sketch", SKETCHES)
def test_an_indefinite_H_leaves_it_positive_definite_and_cg_right(sketch):
    rng = np.random.default_rng(1)
    spectrum = np.r_[-0.25, -0.1, np.zeros(9), np.geomspace(20, 1, 6)]
    H = np.stack([systems.symmetric(spectrum, rng) for _ in range(T)])
    A, b = H + 0.3 * np.eye(P), right_hand_side()
    M, _ = Nystrom(9, sketch).prepare(systems.product_of(A), b, 1 / 0.3)
    dense = dense_matrix(M, b)
    assert (np.linalg.eigvalsh((dense + dense.swapaxes(1, 2)) / 2) > 0).all()
    solver = PreconditionedCG(rtol=1e-10, by=Nystrom(9, sketch))
    x, info = solver.solve(systems.product_of(A), b, 1 / 0.3)
    assert_array_equal(info.status, Status.CONVERGED)
    assert_allclose(x, systems.solution(A, b), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_H_is_zero_rounding_is_not_taken_for_it(dtype):
    lam, b = LAM.astype(dtype), right_hand_side().astype(dtype)
    for seed in range(30):
        _, theta = Nystrom(8, seed=seed).sketched(lambda v: lam * v, b, 1 / lam)
        assert (theta <= 10 * np.finfo(dtype).eps).all()


@pytest.mark.parametrize("sketch", SKETCHES)
def test_the_dtype_is_kept(sketch):
    H, b = low_rank(6).astype("f"), right_hand_side().astype("f")
    A = H + 0.5 * np.eye(P, dtype="f")
    x, info = Nystrom(10, sketch, rtol=1e-4).solve(systems.product_of(A), b, 2.0)
    assert x.dtype == np.float32
    assert_array_equal(info.status, Status.CONVERGED)


def test_a_task_has_the_bits_of_a_run_on_its_own():
    H, b = low_rank(6, tail=0.1), right_hand_side()
    A = H + 0.3 * np.eye(P)
    for solver in (Nystrom(5), PreconditionedCG(by=Nystrom(5))):
        x, _ = solver.solve(systems.product_of(A), b, 1 / 0.3)
        for t in range(T):
            one = slice(t, t + 1)
            alone, _ = solver.solve(systems.product_of(A[one]), b[one], 1 / 0.3)
            assert_array_equal(x[one], alone)


def test_another_seed_is_another_sketch_and_the_same_seed_the_same():
    first, again, other = (Nystrom(4, seed=s).omega(P) for s in (7, 7, 8))
    assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert_allclose(first.T @ first, np.eye(4), atol=1e-14)
    columns = Nystrom(4, "columns").omega(P)
    assert_array_equal(columns.sum(0), 1)
    assert columns.sum(1).max() == 1
    assert_array_equal(Nystrom(P, "columns").omega(P).sum(1), 1)


def test_a_product_that_is_not_finite_ends_its_task_only():
    H, b = low_rank(6), right_hand_side()
    A = H + 0.3 * np.eye(P)

    def matvec(v):
        return systems.product_of(A)(v) * np.array([[1.0], [np.nan], [1.0]])

    for solver in (Nystrom(8, rtol=1e-8), PreconditionedCG(by=Nystrom(8))):
        x, info = solver.solve(matvec, b, 1 / 0.3)
        assert list(info.status) == [0, Status.NOT_FINITE, 0]
        want = systems.solution(A, b)
        assert_allclose(x[[0, 2]], want[[0, 2]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "M", [None, lambda r: r, 0.0, -1.0, np.array([1.0] * (P - 1) + [-1.0])]
)
def test_what_is_no_strength_is_refused(M):
    with pytest.raises(ValueError, match=r"M must be Λ⁻¹ of A = H \+ Λ, positive"):
        Nystrom(3).solve(lambda v: v, right_hand_side(), M)


@pytest.mark.parametrize("options", [{"rank": 0}, {"sketch": "rows"}, {"seed": -1}])
def test_bad_options_are_refused_when_made(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Nystrom(**options)
