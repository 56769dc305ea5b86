"""TaskLoss and the proximal objective against oracles, on every architecture."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import eigsh

from imaml_ref.checks import (
    check_network,
    complex_step,
    linearity_gap,
    symmetry_gap,
    taylor_slopes,
)
from imaml_ref.checks.models import random_point
from imaml_ref.layers import BatchNorm2d, Softplus, Tanh
from imaml_ref.meta_gradients.objective import ProximalObjective, TaskLoss
from imaml_ref.meta_gradients.strength import proximal_strength
from imaml_ref.networks import architectures
from imaml_ref.networks.losses import SoftmaxCrossEntropy, SquaredError
from tests.helpers import oracles
from tests.helpers.cases import KINKED, NETWORKS, SMOOTH

LOSSES = {"cross_entropy": SoftmaxCrossEntropy(), "squared_error": SquaredError()}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def net(request):
    return request.param


@pytest.fixture(params=LOSSES.values(), ids=LOSSES.keys())
def loss(net, request):
    return TaskLoss(net, request.param)


@pytest.fixture(params=SMOOTH.values(), ids=SMOOTH.keys())
def smooth(request):
    return TaskLoss(request.param, SoftmaxCrossEntropy())


def test_gradient_and_products_agree_with_their_witnesses(loss):
    check_network(loss)


def test_float32_agrees_with_float64(net):
    check_network(net, dtype=np.float32)


def test_taylor_remainders_vanish_in_second_and_third_order(smooth):
    phi, x, y = one_task(smooth)
    v = np.random.default_rng(2).normal(size=phi.shape)
    v /= np.linalg.norm(v)
    lin = smooth.linearize(phi, x, y)
    slopes = taylor_slopes(
        lambda phi: smooth.value(phi, x, y)[0],
        phi,
        v,
        slope=float((lin.grad * v).sum()),
        curvature=float((lin.hvp(v) * v).sum()),
        steps=(4e-3, 2e-3, 1e-3),
    )
    assert_allclose(slopes, (2, 3), atol=0.05)


def one_task(loss):
    phi, x, y = random_point(loss, 1, 5, seed=1)
    return phi, x, y


def test_products_are_those_with_the_dense_hessian():
    loss = TaskLoss(
        architectures.mlp((3,), (4,), 3, activation=Tanh), SoftmaxCrossEntropy()
    )
    phi, x, y = random_point(loss, 2, 5, seed=0)
    lin = loss.linearize(phi, x, y)
    H = oracles.jacobian(lambda phi: loss.linearize(phi, x, y).grad, phi)
    assert_allclose(oracles.dense(lin.hvp, phi), H, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("outer", LOSSES.values(), ids=LOSSES.keys())
def test_gauss_newton_products_are_those_with_the_dense_jacobian(outer):
    net = architectures.omniglot_cnn(
        3, input_shape=(5, 6, 2), num_filters=2, activation=Softplus
    )
    loss = TaskLoss(net, outer)
    phi, x, y = random_point(loss, 2, 4, seed=0)
    lin = loss.linearize(phi, x, y)
    J = oracles.jacobian(lambda phi: net.logits(phi, x), phi).reshape(2, 12, -1)

    def grad_z(z):
        z = z.reshape(2, 4, 3)
        return outer.grad(outer.forward(z, y)[1]).reshape(2, 12)

    H_z = oracles.jacobian(grad_z, lin.outputs.reshape(2, 12))
    G = J.swapaxes(1, 2) @ H_z @ J
    scale = np.abs(G).max()
    assert_allclose(oracles.dense(lin.gnvp, phi), G, rtol=1e-11, atol=1e-14 * scale)


def test_curvature_is_symmetric_and_linear(loss):
    phi, x, y = random_point(loss, 2, 4, seed=3)
    lin = loss.linearize(phi, x, y)
    u, v = np.random.default_rng(4).normal(size=(2, *phi.shape))
    for product in (lin.hvp, lin.gnvp):
        assert symmetry_gap(product, u, v) < 1e-13
        assert linearity_gap(product, u, v) < 1e-13


def test_tasks_have_the_same_bits_alone_and_in_a_batch(loss):
    phi, x, y = random_point(loss, 3, 4, seed=5)
    v = np.random.default_rng(6).normal(size=phi.shape)
    together = loss.linearize(phi, x, y)
    for t in range(3):
        one = slice(t, t + 1)
        alone = loss.linearize(phi[one], x[one], y[one])
        assert_array_equal(alone.value, together.value[one])
        assert_array_equal(alone.grad, together.grad[one])
        assert_array_equal(alone.hvp(v[one]), together.hvp(v)[one])
        assert_array_equal(alone.gnvp(v[one]), together.gnvp(v)[one])


def test_two_products_with_the_same_vector_have_the_same_bits(loss):
    phi, x, y = random_point(loss, 2, 4, seed=5)
    lin, v = loss.linearize(phi, x, y), np.ones_like(phi)
    first = lin.hvp(v).copy()
    lin.hvp(2 * v), lin.gnvp(v)
    assert_array_equal(lin.hvp(v), first)


def test_value_alone_is_the_value(loss):
    phi, x, y = random_point(loss, 2, 4, seed=7)
    assert_array_equal(loss.value(phi, x, y), loss.linearize(phi, x, y).value)


@pytest.mark.parametrize("name", ["omniglot_cnn", "conv4"])
def test_batch_norm_makes_the_loss_forget_the_scale_of_a_kernel(name):
    """At ε = 0, w·∇L = 0 per channel; H w = −∇L on its block and 0 elsewhere.

    L(c w) = L(w) for c > 0; differentiate in c once, and in w and c.
    """
    loss = scale_free(name)
    phi, x, y = random_point(loss, 2, 5, seed=8)
    lin, layout = loss.linearize(phi, x, y), loss.net.layout
    grad = layout.unpack(lin.grad)
    size = np.abs(lin.grad).max()
    for block, w in layout.unpack(phi).items():
        if not block.startswith("conv") or not block.endswith("kernel"):
            continue
        for channel in range(w.shape[-1]):
            direction = np.zeros_like(phi)
            inside = layout.unpack(direction)[block]
            inside[..., channel] = w[..., channel]
            along = (direction * lin.grad).sum(-1)
            assert_allclose(along, 0, atol=1e-13 * size)
            want = np.zeros_like(phi)
            layout.unpack(want)[block][..., channel] = -grad[block][..., channel]
            assert np.abs(want).max() > 0.02 * size
            assert_allclose(lin.hvp(direction), want, atol=1e-12 * size)


def scale_free(name):
    make = getattr(architectures, name)
    shape = {"omniglot_cnn": (14, 13, 2), "conv4": (16, 17, 2)}[name]
    net = make(
        3,
        input_shape=shape,
        num_filters=2,
        norm=lambda channels: BatchNorm2d(channels, eps=0.0),
        activation=Softplus,
    )
    return TaskLoss(net, SoftmaxCrossEntropy())


def test_hessian_operator_is_one_task_for_scipy():
    loss = TaskLoss(KINKED["mlp"], SoftmaxCrossEntropy())
    phi, x, y = random_point(loss, 3, 5, seed=9)
    H = oracles.dense(loss.linearize(phi, x, y).hvp, phi)
    operator = loss.linearize(phi, x, y).hessian_operator(1)
    assert_allclose(operator @ np.eye(phi.shape[1]), H[1], rtol=1e-12, atol=1e-15)
    (largest,) = eigsh(operator, k=1, which="LA", return_eigenvectors=False)
    assert_allclose(largest, np.linalg.eigvalsh(H[1])[-1], rtol=1e-10)


@pytest.mark.parametrize("lam", [0.7, "per parameter"])
def test_the_proximal_objective_adds_its_term(lam):
    loss = TaskLoss(KINKED["mlp"], SoftmaxCrossEntropy())
    phi, x, y = random_point(loss, 2, 5, seed=10)
    rng = np.random.default_rng(11)
    theta, v = rng.normal(size=phi.shape[1]), rng.normal(size=phi.shape)
    if lam == "per parameter":
        lam = rng.uniform(0.5, 2, size=theta.shape)
    objective = ProximalObjective(loss, theta, x, y, lam)
    at = objective.linearize(phi)
    want = loss.value(phi, x, y) + [sum(lam * (p - theta) ** 2) / 2 for p in phi]
    assert_allclose(at.value, want, rtol=1e-14)
    assert_array_equal(objective.value(phi), at.value)
    slope = complex_step(lambda p: objective.linearize(p).value, phi, v)
    assert_allclose((at.grad * v).sum(-1), slope, rtol=1e-12)
    bend = complex_step(objective.grad, phi, v)
    assert_allclose(at.hvp(v), bend, rtol=1e-11, atol=1e-14)
    assert_array_equal(objective.task(1).linearize(phi[1:]).grad, at.grad[1:])


@pytest.mark.parametrize(
    ("lam", "message"),
    [
        (0.0, "positive and finite"),
        (-1.0, "positive and finite: .* got -1"),
        (np.nan, "positive and finite"),
        (np.inf, "positive and finite"),
        (np.array([1.0, -2.0, 3.0]), r"got -2\.0"),
        (np.ones(2), r"shape \(3,\), got shape \(2,\)"),
    ],
)
def test_a_strength_that_cannot_be_meant_is_refused(lam, message):
    with pytest.raises(ValueError, match=message):
        proximal_strength(lam, np.zeros(3))


def test_a_strength_follows_the_dtype_of_theta():
    theta = np.zeros(3, np.float32)
    assert proximal_strength(np.float64(2), theta) == 2.0
    assert proximal_strength(np.ones(3), theta).dtype == np.float32
