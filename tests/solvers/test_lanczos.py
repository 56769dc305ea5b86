"""Eigenvalues from Krylov spaces, against LAPACK."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from imaml_ref.solvers import smallest_eigenvalue
from imaml_ref.solvers.lanczos import MOST_DENSE, smallest_ritz_values
from tests.helpers import systems


def wide_spectra(size=60):
    rng = np.random.default_rng(0)
    spectra = [np.geomspace(1e-3, 1e3, size), np.linspace(-2, 50, size), np.ones(size)]
    return np.stack([systems.symmetric(s, rng) for s in spectra])


@pytest.mark.parametrize("maxiter", [1, 2, 5, 60])
def test_the_value_is_an_upper_bound_and_the_error_holds(maxiter):
    A = wide_spectra()
    start = np.random.default_rng(1).normal(size=A.shape[:2])
    value, error = smallest_eigenvalue(systems.product_of(A), start, maxiter=maxiter)
    spectra = np.linalg.eigvalsh(A)
    assert (value >= spectra[:, 0] - 1e-10).all()
    nearest = np.abs(value[:, None] - spectra).min(1)
    assert (nearest <= error + 1e-10).all()


def test_the_value_reaches_the_smallest_eigenvalue():
    A = wide_spectra()
    start = np.random.default_rng(1).normal(size=A.shape[:2])
    value, error = smallest_eigenvalue(systems.product_of(A), start)
    assert_allclose(value, np.linalg.eigvalsh(A)[:, 0], rtol=1e-8, atol=1e-12)
    assert (error <= 1e-8 * np.abs(value)).all()


def test_it_stops_when_it_knows_enough():
    calls = []

    def matvec(v):
        calls.append(1)
        return v * np.r_[-50.0, np.linspace(1, 2, 39)]

    start = np.random.default_rng(1).normal(size=(1, 40))
    value, _ = smallest_eigenvalue(matvec, start, rtol=1e-4)
    assert_allclose(value, [-50], rtol=1e-8)
    assert len(calls) < 10


def test_float32_keeps_its_dtype_inside():
    A = wide_spectra().astype(np.float32)[1:]
    start = np.random.default_rng(1).normal(size=A.shape[:2]).astype(np.float32)
    value, _ = smallest_eigenvalue(systems.product_of(A), start, rtol=1e-5)
    assert_allclose(value, [-2, 1], rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"start": np.zeros((2, 3))}, "start"),
        ({"maxiter": 0}, "maxiter"),
        ({"rtol": -1.0}, "rtol"),
    ],
)
def test_bad_arguments_are_named(changes, text):
    arguments = {"matvec": lambda v: v, "start": np.ones((2, 3)), **changes}
    with pytest.raises(ValueError, match=text):
        smallest_eigenvalue(**arguments)


@pytest.mark.parametrize("k", [0, 1, 2, 5, MOST_DENSE, MOST_DENSE + 1])
def test_the_smallest_ritz_values_are_those_of_l_d_l(k):
    rng = np.random.default_rng(k)
    delta, beta = rng.uniform(-1, 4, (3, k)), rng.uniform(0.1, 2, (3, k))
    found = smallest_ritz_values(delta, beta)
    for t in range(3):
        L = np.eye(k)
        for j in range(k - 1):
            L[j + 1, j] = np.sqrt(beta[t, j])
        spectrum = np.linalg.eigvals(L @ np.diag(delta[t]) @ L.T).real
        assert_allclose(found[t], spectrum.min(initial=np.inf), rtol=1e-9)
        # A task is not touched by the others.
        assert smallest_ritz_values(delta[t : t + 1], beta[t : t + 1])[0] == found[t]
