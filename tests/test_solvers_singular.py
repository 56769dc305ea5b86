"""MINRES where A is singular to rounding, and where M is not what it must be."""

import warnings

import numpy as np
import pytest
import systems

from imaml_ref.solvers import CG, MINRES, CertifiedCG, Status

SPECTRA = {
    "definite": lambda n: np.linspace(1, 10, n),
    "indefinite": lambda n: np.r_[
        -np.linspace(1, 5, n // 2), np.linspace(1, 9, n - n // 2)
    ],
    "wide": lambda n: np.geomspace(1e-4, 1, n),
}


def singular(spectrum, n, nullity, seed):
    """Return A, b and the part of b that no A x reaches."""
    rng = np.random.default_rng(seed)
    values = SPECTRA[spectrum](n)
    values[:nullity] = 0
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    A, b = (Q * values) @ Q.T, rng.normal(size=n)
    return (A + A.T) / 2, b, np.linalg.norm(Q[:, :nullity].T @ b)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("nullity", [1, 3])
@pytest.mark.parametrize("n", [4, 8, 9, 20, 60])
def test_of_a_singular_system_the_residual_is_the_least(spectrum, n, nullity):
    for seed in range(4):
        A, b, least = singular(spectrum, n, nullity, seed)
        x, info = MINRES().solve(systems.product_of(A[None]), b[None])
        # A watched step may add ε^(1/2) to the square, and A x is rounded.
        rounding = n * np.finfo(float).eps * np.abs(A).sum(1).max()
        slack = 1e-6 * np.linalg.norm(b) + rounding * np.linalg.norm(x)
        assert np.linalg.norm(b - A @ x[0]) <= least + slack
        assert info.status[0] == Status.SINGULAR
        assert info.iterations[0] < 5 * n


def test_a_singular_system_does_not_change_its_neighbours():
    A, b = systems.indefinite(size=20)
    S, c, _ = singular("definite", 20, 2, 0)
    alone, its = MINRES(rtol=1e-9).solve(systems.product_of(A), b)
    both = np.stack([S, A[0]])
    x, info = MINRES(rtol=1e-9).solve(systems.product_of(both), np.stack([c, b[0]]))
    assert (x[1:] == alone).all()
    assert info.num_products[1] == its.num_products[0]
    assert list(info.status) == [Status.SINGULAR, Status.CONVERGED]


def test_looks_at_a_watched_system_are_counted():
    A, b, _ = singular("definite", 12, 1, 0)
    products = []

    def matvec(v):
        products.append(v)
        return v @ A

    _, info = MINRES().solve(matvec, b[None])
    assert info.num_products[0] <= len(products)
    assert info.num_products[0] > info.iterations[0] + 2


def test_a_singular_system_that_has_a_solution_is_solved():
    for spectrum in ("definite", "indefinite"):
        A, b, _ = singular(spectrum, 30, 2, 1)
        _, info = MINRES(rtol=1e-8).solve(systems.product_of(A[None]), (A @ b)[None])
        assert info.status[0] == Status.CONVERGED


@pytest.mark.parametrize("solver", [MINRES(), CertifiedCG()])
def test_an_indefinite_preconditioner_is_named_or_does_no_harm(solver):
    named = 0
    for seed in range(20):
        A, b = systems.positive_definite(seed=seed, size=23)
        d = np.where(np.arange(23) == seed, -0.1, 1.0)
        for M in (d, lambda r, d=d: d * r):
            x, info = solver.solve(systems.product_of(A), b, M)
            solved = systems.residual(A, x, b) <= 1.01 * info.tolerance
            wrong = info.status == Status.INDEFINITE_PRECONDITIONER
            assert (solved == (info.status == Status.CONVERGED)).all()
            assert (solved | wrong).all()
            named += wrong.sum()
    assert named > 0


@pytest.mark.parametrize("solver", [CG(), CertifiedCG(), MINRES()])
def test_a_preconditioner_that_sees_nothing_is_named(solver):
    b = np.array([[0.0, 0.0, 2.0]])
    for M in (0.0, np.array([1.0, 1.0, 0.0]), lambda r: 0 * r):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            x, info = solver.solve(lambda v: 3 * v, b, M)
        assert info.status[0] == Status.INDEFINITE_PRECONDITIONER
        assert not x.any()
        assert info.residual[0] == 2
