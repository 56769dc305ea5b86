"""MINRES where A is singular to rounding, and where M is not what it must be."""

import warnings

import numpy as np
import pytest

from imaml_ref.solvers import CG, MINRES, CertifiedCG, Status
from tests.helpers import systems

SPECTRA = {
    "definite": lambda n: np.linspace(1, 10, n),
    "indefinite": lambda n: np.r_[
        -np.linspace(1, 5, n // 2), np.linspace(1, 9, n - n // 2)
    ],
    "wide": lambda n: np.geomspace(1e-4, 1, n),
    "wider": lambda n: np.geomspace(1e-6, 1, n),
    "widest": lambda n: np.geomspace(1e-9, 1, n),
}
# No eigenvalue but 0 is below ε^(1/2) ‖A‖.
WITHIN = [
    *((name, np.float64) for name in ("definite", "indefinite", "wide")),
    *((name, np.float32) for name in ("definite", "indefinite")),
]
BEYOND = [
    ("widest", np.float64),
    *((name, np.float32) for name in ("wide", "wider", "widest")),
]


def singular(spectrum, n, nullity, seed):
    """Return A, b and the part of b that no A x reaches."""
    rng = np.random.default_rng(seed)
    values = SPECTRA[spectrum](n)
    values[:nullity] = 0
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    A, b = (Q * values) @ Q.T, rng.normal(size=n)
    return (A + A.T) / 2, b, np.linalg.norm(Q[:, :nullity].T @ b)


def problems(*args, tasks, dtype):
    """Return A, b and the least residual of as many tasks, and A v and b in a dtype."""
    A, b, least = map(
        np.stack, zip(*(singular(*args, seed) for seed in range(tasks)), strict=True)
    )
    return A, b, least, (systems.product_of(A.astype(dtype)), b.astype(dtype))


def norm(a):
    return np.linalg.norm(a, axis=-1)


def true_residual(A, x, b):
    return norm(b - np.einsum("tij,tj->ti", A, x.astype(float)))


@pytest.mark.parametrize(("spectrum", "dtype"), WITHIN)
@pytest.mark.parametrize("nullity", [1, 3])
@pytest.mark.parametrize("n", [4, 8, 9, 20, 60])
def test_of_a_singular_system_the_residual_is_the_least(spectrum, dtype, n, nullity):
    eps = np.finfo(dtype).eps
    A, b, least, given = problems(spectrum, n, nullity, tasks=4, dtype=dtype)
    x, info = MINRES().solve(*given)
    # A watched step may add ε^(1/2) to the square; A and A x are rounded.
    rounding = eps * np.linalg.norm(A, 2, axis=(1, 2)) * norm(x)
    slack = eps**0.5 * norm(b) + 2 * rounding
    assert (slack < 0.05 * norm(b)).all()
    assert (true_residual(A, x, b) <= least + slack).all()
    assert (info.status == Status.SINGULAR).all()
    assert (info.iterations < 5 * n).all()


@pytest.mark.parametrize(("spectrum", "dtype"), BEYOND)
@pytest.mark.parametrize("nullity", [0, 1, 3])
def test_where_rounding_is_all_the_residual_is_no_worse_than_before(
    spectrum, dtype, nullity
):
    A, b, _, given = problems(spectrum, 60, nullity, tasks=3, dtype=dtype)
    x, info = MINRES().solve(*given)
    slack = 2 * np.finfo(dtype).eps ** 0.5 * norm(b)
    assert (abs(true_residual(A, x, b) - info.residual) <= slack).all()
    assert (info.residual <= norm(b) + slack).all()
    for steps in (1, 8, 32):
        _, before = MINRES(steps).solve(*given)
        assert (info.residual <= before.residual + slack).all()


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
