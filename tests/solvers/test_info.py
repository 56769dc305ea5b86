"""Every ending has a sentence that names the cause and the remedy."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.solvers import (
    CG,
    MINRES,
    CertifiedCG,
    Dense,
    Factor,
    Neumann,
    SolverInfo,
    Status,
    Woodbury,
)
from tests.helpers import systems

SADDLE = np.diag([1.0, -1.0])
NEGATIVE = np.diag([1.0, -3.0])


def ending(solver, A, b, M=None):
    _, info = solver.solve(lambda v: v @ A, np.atleast_2d(b).astype(float), M)
    return info


class Factored(Woodbury):
    """Of G = 1 in the first direction, whatever A is."""

    def solve(self, matvec, b, M=None):
        rows = Factor(lambda v: v[:, :1], lambda s: s * np.array([1.0, 0.0]), 1)
        return super().solve(matvec, b, M, factor=rows)


ENDINGS = {
    Status.CONVERGED: (CG(5), np.eye(2), [1, 2], None, "converged, 1 iterations"),
    Status.MAXITER: (CG(1), NEGATIVE, [1, 2], None, "all steps made, 1 iterations"),
    Status.NEGATIVE_CURVATURE: (
        CG(on_negative_curvature="refuse"),
        NEGATIVE,
        [1, 2],
        None,
        r"A is not positive definite for task 0: pᵀAp = -11 in iteration 1; raise lam "
        r"by more than 2.2, or use curvature='gauss-newton'",
    ),
    Status.TRUNCATED: (
        CG(on_negative_curvature="truncate"),
        NEGATIVE,
        [1, 2],
        None,
        "pᵀAp = -11 in iteration 1.*stopped before it, 1 iterations",
    ),
    Status.BREAKDOWN: (CG(), SADDLE, [1, 1], None, "pᵀAp = 0 .* than 0, .*cannot step"),
    Status.INDEFINITE_PRECONDITIONER: (CG(), SADDLE, [1, 1], -1.0, "M must"),
    Status.STAGNATION: (
        CertifiedCG(rtol=1e-30),
        systems.positive_definite()[0][1],
        np.linspace(1, 2, systems.P),
        None,
        "use float64, a looser tolerance",
    ),
    Status.SINGULAR: (Dense(), np.ones((2, 2)), [1, 2], None, "singular to rounding"),
    Status.NOT_FINITE: (CG(), SADDLE, [1, np.nan], None, "NaN or infinity"),
    Status.DIVERGED: (
        Neumann(0.1),
        SADDLE,
        [1, 2],
        None,
        "diverges, its residual grows after 0 .*A positive .*step_size < 2/λ_max",
    ),
    Status.MISMATCH: (
        Factored(),
        NEGATIVE,
        [1, 2],
        1.0,
        "A is not G \\+ Λ .*curvature='gauss-newton'",
    ),
}


@pytest.mark.parametrize("status", Status, ids=lambda s: s.name)
def test_every_ending_has_its_message(status):
    *system, text = ENDINGS[status]
    info = ending(*system)
    assert info.status[0] == status
    assert re.search(text, info.message(0)), info.message(0)
    assert "\n" not in info.message(0)


def test_the_message_names_the_lam_to_exceed():
    lam = 0.25
    info = ending(
        CG(on_negative_curvature="refuse"), NEGATIVE + lam * np.eye(2), [0, 2]
    )
    text = info.message(0, lam=lam)
    assert text.startswith("H + λI is not positive definite for task 0: pᵀAp = -11 in")
    assert "raise lam above 3," in text


def test_an_unreached_tolerance_is_named():
    A, b = systems.positive_definite(conditions=(100.0,))
    info = ending(CG(3, rtol=1e-6), A[0], b)
    assert re.search(r"not converged, 3 iterations, .*raise maxiter", info.message(0))


@pytest.mark.parametrize("solver", [CG(), CertifiedCG(), Dense(), MINRES()])
def test_chunks_of_tasks_are_put_together(solver):
    A, b = systems.positive_definite()
    _, whole = solver.solve(systems.product_of(A), b)
    parts = [
        solver.solve(systems.product_of(A[s]), b[s])[1]
        for s in (slice(0, 2), slice(2, 3))
    ]
    for name, joined in vars(SolverInfo.concatenate(parts)).items():
        assert joined.shape == (len(b),)
        if name != "residual" or not isinstance(solver, Dense):
            assert_array_equal(joined, getattr(whole, name), err_msg=name)
    assert solver.name
