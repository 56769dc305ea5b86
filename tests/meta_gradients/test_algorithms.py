"""The algorithms: the functions that they are made of, under one roof."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from tests.helpers.problems import curved, make_tasks

PROBLEM = curved()
LOSS, THETA, TASKS = PROBLEM.loss, PROBLEM.theta, PROBLEM.tasks
INNER = ir.GradientDescent(0.2, 7)
ALGORITHMS = {
    "imaml": ir.IMAML(LOSS, inner=INNER),
    "maml": ir.MAML(LOSS, inner=INNER),
    "fomaml": ir.FirstOrderMAML(LOSS, inner=INNER),
    "fomaml-proximal": ir.FirstOrderMAML(LOSS, lam=1.5, inner=INNER),
    "reptile": ir.Reptile(LOSS, inner=INNER),
    "released": ir.ReleasedIMAML(LOSS),
}


@pytest.fixture(params=ALGORITHMS.values(), ids=ALGORITHMS.keys())
def algorithm(request):
    return request.param


def adapted(lam, inner=INNER):
    return ir.adapt(LOSS, THETA, TASKS.support_x, TASKS.support_y, lam=lam, inner=inner)


def query_gradient(phi):
    return LOSS.linearize(phi, TASKS.query_x, TASKS.query_y).grad


@pytest.mark.parametrize("curvature", ["hessian", "gauss-newton"])
def test_imaml_is_the_implicit_gradient(curvature):
    options = {
        "lam": 1.5,
        "inner": ir.NewtonCG(),
        "solver": ir.CG(maxiter=3),
        "curvature": curvature,
        "damping": 0.2,
    }
    got = ir.IMAML(LOSS, **options)(THETA, TASKS)
    want = ir.implicit_gradient(LOSS, THETA, TASKS, **options)
    assert_array_equal(got.grad, want.grad)
    assert got.lam_grad == want.lam_grad
    assert got.diagnostics.estimator == want.diagnostics.estimator


def test_imaml_has_the_papers_defaults():
    got, want = ir.IMAML(LOSS)(THETA, TASKS), ir.implicit_gradient(LOSS, THETA, TASKS)
    assert_array_equal(got.grad, want.grad)
    assert ir.IMAML(LOSS).lam == 2.0


def test_maml_is_the_unrolled_gradient_without_a_proximal_term():
    got = ir.MAML(LOSS, inner=INNER)(THETA, TASKS)
    want = ir.unrolled_gradient(LOSS, THETA, TASKS, lam=None, inner=INNER)
    assert_array_equal(got.grad, want.grad)
    assert got.lam_grad is None
    proximal = ir.MAML(LOSS, lam=1.5, inner=INNER)(THETA, TASKS)
    want = ir.unrolled_gradient(LOSS, THETA, TASKS, lam=1.5, inner=INNER)
    assert_array_equal(proximal.grad, want.grad)
    assert proximal.lam_grad == want.lam_grad


@pytest.mark.parametrize("lam", [None, 1.5])
def test_first_order_is_the_query_gradient_at_the_same_phi(lam):
    out = ir.FirstOrderMAML(LOSS, lam=lam, inner=INNER)(THETA, TASKS)
    v = query_gradient(adapted(lam))
    assert_allclose(out.grad, v.mean(0), rtol=1e-13, atol=1e-16)
    assert_allclose(out.diagnostics.cosine, 1, rtol=1e-14)
    second = ir.IMAML(LOSS, lam=lam or 2.0, inner=INNER)(THETA, TASKS).grad
    assert np.linalg.norm(second - out.grad) > 0.05 * np.linalg.norm(second)


def test_what_is_no_derivative_in_lam_is_not_called_one():
    """Equation (7) with x = g/λ has the wrong sign here: only (5)'s x makes it true."""
    inner, lam = ir.NewtonCG(60, 30), 0.7

    def mean_query_loss(lam):
        phi = adapted(lam, inner)
        return LOSS.linearize(phi, TASKS.query_x, TASKS.query_y).value.mean()

    slope = (mean_query_loss(lam + 1e-4) - mean_query_loss(lam - 1e-4)) / 2e-4
    exact = ir.IMAML(LOSS, lam, inner, solver=ir.Dense())(THETA, TASKS)
    assert_allclose(exact.lam_grad, slope, rtol=1e-5)
    phi = adapted(lam, inner)
    first_order = -(query_gradient(phi) / lam * (phi - THETA)).sum(-1).mean()
    assert abs(first_order - slope) > 0.5 * abs(slope)
    for kind in (ir.FirstOrderMAML, ir.ReleasedIMAML, ir.Reptile):
        assert kind(LOSS, lam=lam)(THETA, TASKS).lam_grad is None


@pytest.mark.parametrize("lam", [None, 1.5])
def test_reptile_goes_where_the_inner_loop_went(lam):
    out = ir.Reptile(LOSS, lam=lam, inner=INNER)(THETA, TASKS)
    phi = adapted(lam)
    assert_allclose(out.grad, (THETA - phi).mean(0), rtol=1e-13)
    assert out.lam_grad is None
    query = LOSS.linearize(phi, TASKS.query_x, TASKS.query_y)
    assert_array_equal(out.diagnostics.query_loss, query.value)


def test_adapt_is_the_inner_loop_alone(algorithm):
    phi = algorithm.adapt(THETA, TASKS.support_x, TASKS.support_y)
    assert_array_equal(phi, adapted(algorithm.lam, algorithm.inner))


def test_the_parts_of_an_algorithm_can_be_replaced_not_changed(algorithm):
    with pytest.raises(dataclasses.FrozenInstanceError):
        algorithm.lam = 3.0
    other = dataclasses.replace(algorithm, lam=3.0)
    assert (other.lam, other.inner, other.loss) == (3.0, algorithm.inner, LOSS)
    assert type(other) is type(algorithm)
    before, after = algorithm(THETA, TASKS), other(THETA, TASKS)
    assert np.linalg.norm(before.grad - after.grad) > 1e-3
    assert_array_equal(algorithm(THETA, TASKS).grad, before.grad)


def test_a_list_of_batches_counts_each_task_once(algorithm):
    net, outer = LOSS.net, LOSS.loss
    more = make_tasks(net, outer, num_tasks=2, support=6, query=3, seed=11)
    together = algorithm(THETA, [TASKS, more]).grad
    parts = [3 * algorithm(THETA, TASKS).grad, 2 * algorithm(THETA, more).grad]
    assert_allclose(together, sum(parts) / 5, rtol=1e-12, atol=1e-16)


def test_names_say_what_is_computed():
    names = {key: algorithm.name for key, algorithm in ALGORITHMS.items()}
    assert names == {
        "imaml": "iMAML: implicit, (H + λ) x = v by CG",
        "maml": "MAML: unrolled, the adjoint of K gradient steps",
        "fomaml": "first order, g = v",
        "fomaml-proximal": "first order, g = v",
        "reptile": "Reptile: g = θ − φ",
        "released": (
            "released iMAML: released, ((1 + 1) I + H/(λ + 10)) g = v by 5 CG steps"
        ),
    }
    gauss_newton = ir.IMAML(LOSS, curvature="gauss-newton", damping=0.5)
    assert gauss_newton.name == "iMAML: implicit, (Gauss-Newton + λ + 0.5) x = v by CG"


def test_curvature_says_which_second_derivatives_are_used(algorithm):
    seen = algorithm(THETA, TASKS).diagnostics
    assert seen.curvature == algorithm.curvature
    second = isinstance(algorithm, ir.IMAML | ir.MAML | ir.ReleasedIMAML)
    assert algorithm.curvature == ("hessian" if second else "none")


@pytest.mark.parametrize("kind", [ir.IMAML, ir.ReleasedIMAML])
def test_no_implicit_gradient_without_a_proximal_term(kind):
    with pytest.raises(ValueError, match=r"needs lam > 0: .*; MAML takes lam=None"):
        kind(LOSS, lam=None)
    with pytest.raises(ValueError, match="lam must be positive and finite"):
        kind(LOSS, lam=0.0)(THETA, TASKS)
    with pytest.raises(ValueError, match="lam must be positive and finite"):
        kind(LOSS, lam=-1.0).adapt(THETA, TASKS.support_x, TASKS.support_y)


def test_maml_takes_gradient_descent_only():
    with pytest.raises(TypeError, match="only GradientDescent is unrolled"):
        ir.MAML(LOSS, inner=ir.Momentum())(THETA, TASKS)


def test_an_unknown_curvature_is_refused():
    with pytest.raises(ValueError, match="curvature must be one of"):
        ir.IMAML(LOSS, curvature="fisher")(THETA, TASKS)


def test_who_has_one_name_has_it_without_an_object():
    assert ir.MAML.name == "MAML: unrolled, the adjoint of K gradient steps"
    assert ir.FirstOrderMAML.name == "first order, g = v"
    assert ir.Reptile.name == "Reptile: g = θ − φ"
