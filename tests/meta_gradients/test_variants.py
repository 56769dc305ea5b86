"""Learned step sizes, the multi-step loss, truncation, first order before second."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from tests.helpers.problems import PROBLEMS, curved
from tests.helpers.variant_oracles import (
    slopes_in_alpha,
    slopes_in_theta,
    where,
)

PROBLEM = curved()
LOSS, THETA, TASKS = PROBLEM.loss, PROBLEM.theta, PROBLEM.tasks
SIZE, K = THETA.size, 4
EACH = np.random.default_rng(7).uniform(0.1, 0.5, SIZE)
WEIGHTS = (0.25, 0.125, 0.0, 0.5, 1.0)


def unrolled(alpha=0.3, **options):
    inner = ir.GradientDescent(alpha, K)
    given = {"lam": None, "inner": inner} | options
    return ir.unrolled_gradient(LOSS, THETA, TASKS, **given)


@pytest.mark.parametrize("lam", [None, 1.5])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_a_step_size_per_parameter_has_both_derivatives(lam, weights):
    """Complex steps of a plain loop in θ and in α: 12 digits."""
    out = unrolled(EACH, lam=lam, weights=weights)
    options = {"weights": weights}
    want = slopes_in_theta(PROBLEM, lam or 0, EACH, K, **options)
    assert digits(out.grad, want) > 12
    want = slopes_in_alpha(PROBLEM, lam or 0, EACH, K, **options)
    assert out.alpha_grad.shape == (SIZE,)
    assert digits(out.alpha_grad, want) > 12


def test_one_per_layer_is_the_sum_over_each():
    each = np.array([0.4, 0.2])
    out = unrolled(each)
    body = where(LOSS.net, ("linear1",)).astype(bool)
    full = np.where(body, *each)
    assert digits(out.grad, slopes_in_theta(PROBLEM, 0, full, K)) > 12
    want = slopes_in_alpha(PROBLEM, 0, full, K)
    want = np.array([want[body].sum(), want[~body].sum()])
    assert digits(out.alpha_grad, want) > 12


def test_a_number_has_the_sum_of_all():
    out = unrolled(0.3)
    want = slopes_in_alpha(PROBLEM, 0, np.full(SIZE, 0.3), K).sum()
    assert isinstance(out.alpha_grad, float)
    assert_allclose(out.alpha_grad, want, rtol=1e-12)


def test_a_layer_that_stays_has_no_derivative_in_its_step_size():
    mask = where(LOSS.net, ("head",))
    out = unrolled(EACH, adapted="head")
    want = slopes_in_alpha(PROBLEM, 0, EACH, K, mask=mask)
    assert digits(out.alpha_grad, want) > 12
    assert_array_equal(out.alpha_grad[mask == 0], 0)


def test_equal_step_sizes_are_one():
    one, many = unrolled(0.25), unrolled(np.full(SIZE, 0.25))
    assert_allclose(many.grad, one.grad, rtol=1e-12, atol=1e-15)
    single = unrolled(np.full(2, 0.25))
    assert_allclose(single.grad, one.grad, rtol=1e-12, atol=1e-15)


def test_they_hold_through_normalisation_and_convolution_and_in_float32():
    problem = PROBLEMS["batch_normed"]
    alpha = np.random.default_rng(1).uniform(0.05, 0.2, problem.theta.size)
    inner = ir.GradientDescent(alpha, 3)
    call = ir.unrolled_gradient
    out = call(problem.loss, problem.theta, problem.tasks, lam=None, inner=inner)
    assert digits(out.alpha_grad, slopes_in_alpha(problem, 0, alpha, 3)) > 11
    single = problem.astype(np.float32)
    low = call(single.loss, single.theta, single.tasks, lam=None, inner=inner)
    assert low.alpha_grad.dtype == low.grad.dtype == np.float32
    assert digits(low.alpha_grad, out.alpha_grad) > 4


@pytest.mark.parametrize("adapted", [None, ("head",)])
def test_the_multi_step_loss_is_a_sum_over_the_loop(adapted):
    """Complex steps of Σ w_k Q(φ_k): 12 digits; w_0 counts at θ itself."""
    mask = 1.0 if adapted is None else where(LOSS.net, adapted)
    options = {"weights": WEIGHTS, "mask": mask}
    out = unrolled(0.3, lam=1.5, adapted=adapted, weights=WEIGHTS)
    assert digits(out.grad, slopes_in_theta(PROBLEM, 1.5, 0.3, K, **options)) > 12


def test_all_the_weight_on_the_last_step_is_maml():
    want, found = unrolled(), unrolled(weights=(0, 0, 0, 0, 1))
    assert_array_equal(found.grad, want.grad)
    assert_array_equal(found.alpha_grad, want.alpha_grad)


@pytest.mark.parametrize("lam", [None, 1.5])
@pytest.mark.parametrize("last", [0, 1, 3, 4, 9])
def test_truncated_it_begins_at_a_constant(lam, last):
    """The complex step of the loop from φ_{K−m} + (θ − θ'): 11 digits."""
    out = unrolled(lam=lam, last=last, keep="phi")
    first = max(K - last, 0)
    constant = ir.adapt(
        LOSS,
        THETA,
        TASKS.support_x,
        TASKS.support_y,
        lam=lam,
        inner=ir.GradientDescent(0.3, first),
    )
    x, y, x_q, y_q = (
        np.repeat(getattr(TASKS, n), SIZE, 0)
        for n in ("support_x", "support_y", "query_x", "query_y")
    )
    shift = np.tile(1e-30j * np.eye(SIZE), (len(TASKS), 1))
    theta, phi = THETA + shift, np.repeat(constant, SIZE, 0) + shift
    for _ in range(K - first):
        pull = (lam or 0) * (phi - theta)
        phi = phi - 0.3 * (LOSS.linearize(phi, x, y).grad + pull)
    value = LOSS.linearize(phi, x_q, y_q).value.imag / 1e-30
    assert digits(out.grad, value.reshape(-1, SIZE).mean(0)) > 11
    full = unrolled(lam=lam)
    if last < K:
        assert np.linalg.norm(out.grad - full.grad) > 1e-3 * np.linalg.norm(full.grad)
        assert out.diagnostics.bound is None
    else:
        assert_array_equal(out.grad, full.grad)


@pytest.mark.parametrize("lam", [None, 1.5])
def test_no_step_differentiated_is_first_order(lam):
    out = unrolled(lam=lam, last=0)
    want = ir.FirstOrderMAML(LOSS, lam, ir.GradientDescent(0.3, K))(THETA, TASKS)
    assert_allclose(out.grad, want.grad, rtol=1e-12, atol=1e-15)
    assert out.diagnostics.curvature == "none"


def torch_answer(last, alpha, weights):
    """Return gradients in θ and α by PyTorch; ∇L is detached before the last steps."""
    torch = pytest.importorskip("torch")
    theta = torch.tensor(THETA, requires_grad=True)
    alpha = torch.tensor(alpha, requires_grad=True)
    shapes = [(3, 5), (5,), (5, 4), (4,)]

    def value(phi, x, y):
        parts = phi.split([int(np.prod(s)) for s in shapes])
        W, b, U, c = (p.view(s) for p, s in zip(parts, shapes, strict=True))
        z = torch.tanh(torch.tensor(x) @ W + b) @ U + c
        return torch.nn.functional.cross_entropy(z, torch.tensor(y))

    total = 0.0
    for t in range(len(TASKS)):
        phi = theta
        for k in range(K + 1):
            total = total + weights[k] * value(phi, TASKS.query_x[t], TASKS.query_y[t])
            inner = value(phi, TASKS.support_x[t], TASKS.support_y[t])
            (grad,) = torch.autograd.grad(inner, phi, create_graph=True)
            phi = phi - alpha * (grad if k >= K - last else grad.detach())
    grads = torch.autograd.grad(total / len(TASKS), (theta, alpha))
    return [g.numpy() for g in grads]


@pytest.mark.parametrize("last", [0, 2, 4])
def test_pytorch_finds_the_same_through_its_graph(last):
    """Gradients of gradients in float64, with ∇L detached in early steps: 12 digits."""
    assert [n.split(".")[0] for n in LOSS.net.layout.names] == ["linear1"] * 2 + [
        "head"
    ] * 2
    out = unrolled(EACH, last=last, weights=WEIGHTS)
    theta_grad, alpha_grad = torch_answer(last, EACH, WEIGHTS)
    assert digits(out.grad, theta_grad) > 12
    assert digits(out.alpha_grad, alpha_grad) > 12


def test_the_weights_go_from_all_alike_to_the_last():
    algorithm = ir.MAML(LOSS, inner=ir.GradientDescent(0.3, K), annealing=8)
    weights = np.array([algorithm.at_step(s).weights for s in range(8)])
    assert_array_equal(weights[0], [0, 0.25, 0.25, 0.25, 0.25])
    assert_allclose(weights.sum(1), 1, rtol=1e-15)
    assert_allclose(np.diff(weights[:, 1:-1], axis=0), -1 / 32, rtol=1e-12)
    assert algorithm.at_step(8) is algorithm
    one = ir.MAML(LOSS, inner=ir.GradientDescent(0.3, 1), annealing=8)
    assert one.at_step(3).weights == (0.0, 1.0)
    none = ir.MAML(LOSS, inner=ir.GradientDescent(0.3, 0), annealing=8)
    assert none.at_step(3).weights == (1.0,)


@pytest.mark.parametrize("kind", [ir.MAML, ir.IMAML])
def test_the_first_meta_steps_are_of_first_order(kind):
    inner = ir.GradientDescent(0.3, K)
    algorithm = kind(LOSS, 1.5, inner, adapted="head", first_order_steps=3)
    want = ir.FirstOrderMAML(LOSS, 1.5, inner, adapted="head")(THETA, TASKS).grad
    early = algorithm.at_step(2)(THETA, TASKS)
    assert_allclose(early.grad, want, rtol=1e-12, atol=1e-15)
    assert algorithm.at_step(3) is algorithm
    late = algorithm.at_step(3)(THETA, TASKS).grad
    assert np.linalg.norm(late - want) > 0.01 * np.linalg.norm(want)
    assert "first order" in early.diagnostics.estimator or kind is ir.MAML


def test_the_names_say_what_is_differentiated():
    inner = ir.GradientDescent(0.3, K)
    algorithm = ir.MAML(LOSS, inner=inner, last=2, weights=WEIGHTS)
    words = (
        "unrolled, the adjoint of K gradient steps, H of the last 2, multi-step loss"
    )
    assert algorithm.name == f"MAML: {words}"
    assert algorithm(THETA, TASKS).diagnostics.estimator == words
    assert replace(algorithm, last=None, weights=None).name == ir.MAML.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": (1.0, 2.0)}, "weights must be w_0, …, w_4 for 4 inner steps, got"),
        ({"weights": [0, 0, 0, -1, 1]}, "weights must be a finite number >= 0, got -1"),
        ({"weights": "last"}, "weights must be a finite number >= 0, got"),
        ({"last": -1}, "last must be an integer >= 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, message):
    inner = ir.GradientDescent(0.3, K)
    for call in (unrolled, lambda **o: ir.MAML(LOSS, inner=inner, **o)):
        with pytest.raises(ValueError, match=message) as found:
            call(**options)
        assert "\n" not in str(found.value)


@pytest.mark.parametrize("alpha", [np.ones(3), np.ones((4, SIZE)), np.ones(SIZE - 1)])
def test_step_sizes_of_another_shape_are_refused(alpha):
    message = rf"step_size must be a number, \(2,\), one per layer, or \({SIZE},\), one"
    with pytest.raises(ValueError, match=message):
        unrolled(alpha)


@pytest.mark.parametrize("alpha", [EACH * 0, -EACH, EACH * np.nan, EACH.astype(int)])
def test_step_sizes_that_are_not_positive_are_refused(alpha):
    with pytest.raises(ValueError, match="step_size must be finite numbers > 0"):
        ir.GradientDescent(alpha)


def test_step_sizes_that_are_too_long_are_named():
    inner = ir.GradientDescent(np.full(SIZE, 1e200), 3)
    with pytest.raises(ir.InnerDivergence, match=r"lower step_size .*, now 1e\+200"):
        ir.MAML(LOSS, 2.0, inner)(THETA, TASKS)
