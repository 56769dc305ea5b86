"""ANIL and BOIL: layers that the inner loop may not move, and what they get for it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from tests.helpers.meta_oracles import hessian
from tests.helpers.problems import Quadratic, curved, make_problem, quadratic
from tests.helpers.variant_oracles import differenced, slopes_in_theta, where

PROBLEM = curved()
LOSS, THETA, TASKS = PROBLEM.loss, PROBLEM.theta, PROBLEM.tasks
HEAD, BODY = ("head",), ("linear1",)
EXACT = {"inner": ir.NewtonCG(60, 60), "solver": ir.Dense()}


def implicit(problem=PROBLEM, **options):
    given = {"lam": problem.lam} | EXACT | options
    return ir.implicit_gradient(problem.loss, problem.theta, problem.tasks, **given)


def test_the_layers_are_those_of_the_test():
    assert tuple(LOSS.net.layout.layers) == BODY + HEAD
    assert where(LOSS.net, HEAD).sum() == 24
    assert where(LOSS.net, BODY).sum() == 20


@pytest.mark.parametrize("adapted", [HEAD, BODY])
@pytest.mark.parametrize("kind", ["number", "per parameter"])
def test_it_is_the_derivative_of_the_minimum_over_what_moves(adapted, kind):
    """Differences of fourth order through Newton's method: 9 digits."""
    problem = PROBLEM if kind == "number" else PROBLEM.per_parameter()
    out = implicit(problem, adapted=adapted, keep="phi")
    directions = np.random.default_rng(2).normal(size=(4, THETA.size)) / 5
    want = differenced(problem, where(LOSS.net, adapted), directions)
    assert (out.diagnostics.inner_residual < 1e-12).all()
    assert digits(directions @ out.grad, want) > 9
    full = directions @ implicit(problem).grad
    assert np.linalg.norm(full - want) > 0.05 * np.linalg.norm(want)


@pytest.mark.parametrize("adapted", [HEAD, BODY])
@pytest.mark.parametrize("curvature", ["hessian", "gauss-newton"])
def test_it_is_16_in_dense_algebra(adapted, curvature):
    """12 digits, at a φ that is no solution of anything."""
    mask = where(LOSS.net, adapted)
    a, f = np.flatnonzero(mask), np.flatnonzero(1 - mask)
    rng = np.random.default_rng(3)
    phi = THETA + 0.3 * rng.normal(size=(len(TASKS), THETA.size))
    out = ir.implicit_gradient_at(
        LOSS,
        THETA,
        phi,
        TASKS,
        lam=0.8,
        solver=ir.Dense(),
        curvature=curvature,
        adapted=adapted,
        keep="task_grads",
    )
    at = LOSS.linearize(phi, TASKS.support_x, TASKS.support_y)
    v = LOSS.linearize(phi, TASKS.query_x, TASKS.query_y).grad
    H = hessian(LOSS, phi, TASKS.support_x, TASKS.support_y)
    if curvature == "gauss-newton":
        rows = np.eye(THETA.size)[:, None].repeat(len(TASKS), 1)
        H = np.stack([at.gnvp(row) for row in rows], 1)
    slopes = 0.0
    for t in range(len(TASKS)):
        A = H[t][np.ix_(a, a)] + 0.8 * np.eye(len(a))
        x = np.linalg.solve(A, v[t, a])
        g = np.empty(THETA.size)
        g[a], g[f] = 0.8 * x, v[t, f] - H[t][np.ix_(f, a)] @ x
        assert digits(out.task_grads[t], g) > 12
        slopes -= x @ (phi[t] - THETA)[a] / len(TASKS)
    assert_allclose(out.lam_grad, slopes, rtol=1e-11)


def test_a_solver_that_iterates_finds_the_same():
    want = implicit(adapted=HEAD).grad
    for solver in (
        ir.CG(60, rtol=1e-14),
        ir.MINRES(80, rtol=1e-13),
        ir.CertifiedCG(rtol=1e-13),
    ):
        assert digits(implicit(adapted=HEAD, solver=solver).grad, want) > 8


def test_a_large_lam_on_what_stays_tends_to_it_and_is_not_it():
    """Each λ a hundred times larger is a hundred times nearer, within a factor of 2."""
    mask, want = where(LOSS.net, HEAD), implicit(adapted=HEAD).grad
    gaps = []
    for large in (1e2, 1e4, 1e6):
        lam = np.where(mask, PROBLEM.lam, large)
        gaps.append(np.linalg.norm(implicit(lam=lam).grad - want))
    assert gaps[0] > 1e-3 * np.linalg.norm(want)
    assert_allclose(np.divide(gaps[:-1], gaps[1:]), 100, rtol=1)


def two_layers():
    """Two linear layers without a bend: the head alone is ridge regression."""
    layers = {"linear1": ir.layers.Linear(3, 4), "head": ir.layers.Linear(4, 2)}
    net = ir.Network(layers, (3,))
    return make_problem(net, ir.SquaredError(), lam=0.7, step_size=0.05)


def test_on_ridge_it_is_the_closed_form():
    """φ_a by normal equations, and its derivative by complex steps of them."""
    problem = two_layers()
    tasks, theta, lam = problem.tasks, problem.theta, problem.lam

    def outer(theta):
        named = problem.loss.net.layout.unpack(theta)
        W, b = named["linear1.kernel"], named["linear1.bias"]
        anchor = np.vstack([named["head.kernel"], named["head.bias"]])
        total = 0.0
        for t in range(len(tasks)):
            X, Q = (
                np.hstack([x @ W + b, np.ones((len(x), 1))])
                for x in (tasks.support_x[t], tasks.query_x[t])
            )
            A = X.T @ X / len(X) + lam * np.eye(5)
            w = np.linalg.solve(A, X.T @ tasks.support_y[t] / len(X) + lam * anchor)
            total += ((Q @ w - tasks.query_y[t]) ** 2).sum(1).mean() / 2
        return total / len(tasks)

    shifted = theta + 1e-30j * np.eye(theta.size)
    want = np.array([outer(at).imag for at in shifted]) / 1e-30
    assert digits(implicit(problem, adapted=HEAD).grad, want) > 9


@pytest.mark.parametrize("adapted", [HEAD, BODY])
@pytest.mark.parametrize("lam", [None, 1.5])
def test_the_unrolled_one_is_the_derivative_of_the_loop(adapted, lam):
    """Complex steps of a plain loop: 12 digits."""
    inner = ir.GradientDescent(0.3, 4)
    options = {"lam": lam, "inner": inner, "adapted": adapted}
    out = ir.unrolled_gradient(LOSS, THETA, TASKS, **options, keep="phi")
    mask = where(LOSS.net, adapted)
    assert digits(out.grad, slopes_in_theta(PROBLEM, lam or 0, 0.3, 4, mask=mask)) > 12
    stays = 1 - mask
    assert_array_equal(out.phi * stays, np.tile(THETA * stays, (len(TASKS), 1)))
    found = ir.MAML(LOSS, lam, inner, adapted=adapted)
    assert_array_equal(found(THETA, TASKS).grad, out.grad)
    phi = found.adapt(THETA, TASKS.support_x, TASKS.support_y)
    assert_array_equal(phi, out.phi)


@pytest.mark.parametrize(
    "inner",
    [
        ir.GradientDescent(0.2, 5),
        ir.Momentum(0.1, 5),
        ir.InnerAdam(0.05, 5),
        ir.LBFGS(20),
        ir.NewtonCG(5),
        ir.PullBackDescent(0.1, 3),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_every_inner_optimiser_leaves_what_stays(inner):
    out = ir.IMAML(LOSS, 2.0, inner, adapted=HEAD).adapt(
        THETA, TASKS.support_x, TASKS.support_y
    )
    moved = (out != THETA).any(0)
    assert_array_equal(moved, where(LOSS.net, HEAD).astype(bool))


def test_the_fused_path_has_it_too():
    net = ir.architectures.omniglot_cnn(3, input_shape=(7, 6, 2), num_filters=3)
    problem = make_problem(net, ir.SoftmaxCrossEntropy(), lam=0.6, step_size=0.1)
    kinds = (
        ir.IMAML(problem.loss, 0.6, problem.descent(4), adapted=HEAD),
        ir.MAML(problem.loss, inner=problem.descent(4), adapted=HEAD),
    )
    for algorithm in kinds:
        found = algorithm(problem.theta, problem.tasks).grad
        with ir.plain_path():
            want = algorithm(problem.theta, problem.tasks).grad
        assert digits(found, want) > 11


def test_tasks_one_by_one_have_the_mean_of_the_batch():
    found = implicit(adapted=HEAD, keep="task_grads").task_grads
    alone = [
        ir.implicit_gradient(
            LOSS, THETA, TASKS[t : t + 1], lam=2.0, adapted=HEAD, **EXACT
        ).grad
        for t in range(len(TASKS))
    ]
    assert_allclose(found, alone, rtol=1e-9, atol=1e-14)


def test_first_order_drops_what_goes_through_phi():
    inner = ir.GradientDescent(0.3, 4)
    algorithm = ir.FirstOrderMAML(LOSS, 1.5, inner, adapted=HEAD)
    phi = algorithm.adapt(THETA, TASKS.support_x, TASKS.support_y)
    v = LOSS.linearize(phi, TASKS.query_x, TASKS.query_y).grad.mean(0)
    assert_allclose(algorithm(THETA, TASKS).grad, v, rtol=1e-12, atol=1e-15)
    full = ir.FirstOrderMAML(LOSS, 1.5, inner)(THETA, TASKS).grad
    assert np.linalg.norm(full - v) > 0.01 * np.linalg.norm(v)


def test_all_layers_by_name_are_all():
    want = ir.IMAML(LOSS)(THETA, TASKS).grad
    assert_array_equal(ir.IMAML(LOSS, adapted=BODY + HEAD)(THETA, TASKS).grad, want)


def test_what_is_computed_is_said():
    assert ir.IMAML(LOSS, adapted="head").name.endswith(", adapting head only")
    anil = ir.MAML(LOSS, adapted="head")
    assert anil.name.endswith("K gradient steps, adapting head only")
    assert anil(THETA, TASKS).diagnostics.estimator in anil.name
    assert ir.FirstOrderMAML(LOSS, adapted="head").name.endswith("adapting head only")


@pytest.mark.parametrize("kind", [ir.IMAML, ir.MAML, ir.FirstOrderMAML])
def test_a_wrong_name_is_refused_in_one_line(kind):
    algorithm = kind(LOSS, adapted=("hed",))
    for call in (
        lambda: algorithm(THETA, TASKS),
        lambda: algorithm.adapt(THETA, TASKS.support_x, TASKS.support_y),
    ):
        with pytest.raises(ValueError, match="'hed'; there are linear1, head") as found:
            call()
        assert "\n" not in str(found.value)
    for wrong in ((), 3, ("head", 3)):
        with pytest.raises(ValueError, match="adapted names no layer with parameters"):
            kind(LOSS, adapted=wrong)(THETA, TASKS)


def test_a_loss_without_layers_has_no_names():
    problem = quadratic()
    problem = replace(problem, loss=Quadratic())
    with pytest.raises(ValueError, match="no layer with parameters: 'head'; there are"):
        implicit(problem, adapted="head")
