"""What certified CG says is true."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.solvers import CG, CertifiedCG, Status
from imaml_ref.solvers.certified import look, nothing_proven
from imaml_ref.solvers.recurrence import advance, begin
from imaml_ref.solvers.system import make_system
from tests.helpers import systems


def test_it_solves_to_the_tolerance_and_reports_the_true_residual():
    A, b = systems.positive_definite()
    x, info = CertifiedCG(rtol=1e-8).solve(systems.product_of(A), b)
    assert_array_equal(info.status, Status.CONVERGED)
    assert_allclose(info.residual, systems.residual(A, x, b), rtol=1e-5)
    assert (info.residual <= 1e-8 * np.linalg.norm(b, axis=1)).all()
    assert_allclose(x, systems.solution(A, b), rtol=1e-6, atol=1e-7)


def test_until_the_first_claim_it_is_plain_cg():
    A, b = systems.positive_definite()
    x, info = CertifiedCG(maxiter=4, refresh=2).solve(systems.product_of(A), b)
    y, plain = CG(4).solve(systems.product_of(A), b)
    assert_array_equal(x, y)
    assert_array_equal(info.smallest_ritz, plain.smallest_ritz)
    assert_array_equal(info.num_products, 4 + 2 + 1)


def test_a_proved_claim_costs_one_product():
    A, b = systems.positive_definite()
    _, info = CertifiedCG().solve(systems.product_of(A), b)
    assert_array_equal(info.num_products, info.iterations + 1)


@pytest.mark.parametrize(
    ("rtol", "refresh"),
    [(1e-5, 50), (1e-3, 10_000), *((1e-1, refresh) for refresh in (7, 50, 10_000))],
)
def test_it_never_claims_a_residual_that_is_not_true(refresh, rtol):
    statuses = []
    for seed in range(6):
        A, b = systems.ill_conditioned(seed)
        solver = CertifiedCG(rtol=rtol, refresh=refresh)
        x, info = solver.solve(lambda v, A=A: v @ A, b[None])
        # In float32, as the solver sees it: for ‖A‖ ‖x‖ = 1e5 the rounding is 1e-2.
        assert_allclose(info.residual[0], np.linalg.norm(b - x[0] @ A), rtol=1e-5)
        if info.status[0] == Status.CONVERGED:
            assert info.residual[0] <= info.tolerance[0]
        statuses.append(info.status[0])
    assert (Status.CONVERGED in statuses) == (rtol == 1e-1)


def test_a_tolerance_below_rounding_ends_as_stagnant():
    A, b = systems.positive_definite()
    x, info = CertifiedCG(rtol=1e-20, maxiter=10_000).solve(systems.product_of(A), b)
    assert_array_equal(info.status, Status.STAGNATION)
    assert (info.iterations < 1000).all()
    assert_allclose(x, systems.solution(A, b), rtol=1e-12)


def test_a_task_has_the_bits_of_a_run_on_its_own():
    pairs = [systems.ill_conditioned(seed) for seed in range(3)]
    A, b = (np.stack(a) for a in zip(*pairs, strict=True))
    A[1] = np.diag(np.linspace(1, 2, 30))
    solver = CertifiedCG(rtol=3e-2, refresh=11)
    x, info = solver.solve(systems.product_of(A), b)
    assert len(set(info.iterations)) == 3
    for t in range(3):
        alone, its = solver.solve(systems.product_of(A[t : t + 1]), b[t : t + 1])
        assert_array_equal(x[t : t + 1], alone)
        for name in ("status", "iterations", "residual", "smallest_ritz"):
            assert getattr(info, name)[t] == getattr(its, name)[0], name
        assert info.num_products[t] == its.num_products[0]


def test_convergence_on_the_last_step_counts():
    A, b = systems.positive_definite()
    _, free = CertifiedCG().solve(systems.product_of(A), b)
    last = int(free.iterations.max())
    _, info = CertifiedCG(maxiter=last).solve(systems.product_of(A), b)
    assert_array_equal(info.status, Status.CONVERGED)
    _, info = CertifiedCG(maxiter=last - 1).solve(systems.product_of(A), b)
    assert (info.status == Status.MAXITER).any()


def test_negative_curvature_is_found():
    A, b = systems.indefinite()
    x, info = CertifiedCG(rtol=1e-9).solve(systems.product_of(A), b)
    assert info.status[0] == Status.CONVERGED
    assert_allclose(x, systems.solution(A, b), rtol=1e-7)
    assert info.negative_curvature[0] > 0
    assert_allclose(info.smallest_ritz, np.linalg.eigvalsh(A)[:, 0], rtol=1e-6)
    refuse = CertifiedCG(on_negative_curvature="refuse")
    _, info = refuse.solve(systems.product_of(A), b)
    assert info.status[0] == Status.NEGATIVE_CURVATURE


def test_a_preconditioner_leads_to_the_same_solution():
    A, b = systems.positive_definite()
    M = 1 / np.diagonal(A, axis1=1, axis2=2)
    x, _ = CertifiedCG(rtol=1e-12).solve(systems.product_of(A), b, M)
    assert_allclose(x, systems.solution(A, b), rtol=1e-10)


def test_zero_and_saddle():
    A, b = np.stack([np.eye(2), np.diag([1.0, -1])]), np.array([[0.0, 0], [1, 1]])
    x, info = CertifiedCG().solve(systems.product_of(A), b)
    assert_array_equal(x, 0)
    assert list(info.status) == [Status.CONVERGED, Status.BREAKDOWN]
    assert_array_equal(info.residual, [0, np.sqrt(2)])
    assert_array_equal(info.num_products, [0, 2])


@pytest.fixture
def drifted():
    """Three steps of two tasks, after which the second one's r is made a lie."""
    A, b = systems.positive_definite(conditions=(3.0, 30.0))
    system = make_system(systems.product_of(A), b, rtol=1e-12, atol=0.0)
    state = begin(system, system.x0, system.r0)
    proof = nothing_proven(state)
    for _ in range(3):
        state, record = advance(system, state)
    lie = np.array([[1.0], [1e-3]])
    return system, state._replace(r=lie * state.r), proof, record


def test_a_residual_that_has_drifted_is_replaced_and_the_directions_forgotten(drifted):
    system, state, proof, record = drifted
    after, _, noted = look(system, state, proof, record, due=True)
    true = system.b - system.matvec(state.x)
    assert_allclose(after.r[1], true[1], rtol=1e-12)
    assert_allclose(after.p[1] * after.sigma[1], true[1], rtol=1e-12)
    assert noted.beta[1] == 0
    assert_array_equal(after.r[0], state.r[0])
    assert_array_equal(after.p[0], state.p[0])
    assert noted.beta[0] == record.beta[0] > 0


def test_the_claim_of_one_task_does_not_change_another(drifted):
    system, state, proof, record = drifted
    claim = state._replace(status=np.array([Status.CONVERGED, Status.MAXITER]))
    after, proof, _ = look(system, claim, proof, record, due=False)
    assert after.status[0] == Status.MAXITER  # refuted
    assert_array_equal(after.r[1], state.r[1])
    assert_array_equal(after.p[1], state.p[1])
    assert list(proof.products) == [1, 0]


def test_no_product_is_made_where_nothing_is_to_be_checked(drifted):
    system, state, proof, record = drifted
    after = look(system._replace(matvec=None), state, proof, record, due=False)
    assert after == (state, proof, record)


@pytest.mark.parametrize(
    "options",
    [
        {"rtol": -1.0},
        {"atol": "0"},
        {"maxiter": 0},
        {"refresh": 0},
        {"on_negative_curvature": None},
    ],
)
def test_bad_options_are_refused_when_made(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        CertifiedCG(**options)
