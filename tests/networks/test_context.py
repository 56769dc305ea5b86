"""Networks whose queries ask for the support set: who sees whom, and who asks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import check_network
from imaml_ref.fused import plain_path
from imaml_ref.fused.pieces import covers
from imaml_ref.kernels.pieces import covers as covers_on_a_device
from imaml_ref.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    RunningNorm2d,
    Softplus,
    SupportNorm2d,
    TaskNorm2d,
)
from imaml_ref.networks import architectures, context_for
from imaml_ref.networks.alone import blind_layer, logits_alone
from tests.helpers.cases import SMALL
from tests.helpers.fused_points import needs_fused

T, SUPPORT, QUERIES = 2, 5, 3
NORMS = {"support": SupportNorm2d, "task": TaskNorm2d}


@pytest.fixture(name="net", params=NORMS)
def a_net(request):
    return architectures.omniglot_cnn(
        3, **SMALL, activation=Softplus, norm=NORMS[request.param]
    )


def point(net, seed=0):
    """Return φ, support inputs, queries and their labels; scale and offset not 0."""
    rng = np.random.default_rng(seed)
    phi = net.init(rng) + 0.1 * rng.normal(size=(T, net.layout.size))
    x, query = (rng.normal(size=(T, n, *SMALL["input_shape"])) for n in (5, 3))
    return phi, x, query, rng.integers(3, size=(T, QUERIES))


def loss_of(net):
    return ir.TaskLoss(net, ir.SoftmaxCrossEntropy())


def test_every_sweep_of_queries_in_their_context_is_right(net):
    check_network(net.given(2))
    check_network(net)


def test_queries_do_not_see_each_other(net):
    """One alone, and all together: the same to rounding, and in any order."""
    phi, x, query, _ = point(net)
    z = net.logits(phi, query, x)
    assert z.shape == (T, QUERIES, 3)
    assert_allclose(logits_alone(net, phi, query, context=x), z, rtol=1e-11)
    assert_allclose(net.logits(phi, query[:, ::-1], x)[:, ::-1], z, rtol=1e-11)
    assert blind_layer(net) is None


def test_a_query_sees_the_whole_support_set_and_it_no_query(net):
    phi, x, query, _ = point(net)
    z = net.logits(phi, query, x)
    for n in range(SUPPORT):
        other = x.copy()
        other[:, n] *= 1.5
        assert (abs(net.logits(phi, query, other) - z) > 1e-4).any((1, 2)).all()
    assert_allclose(net.logits(phi, x[:, ::-1], x)[:, ::-1], net.logits(phi, x))


def test_the_support_set_alone_is_batch_normalised():
    """SupportNorm2d is BatchNorm2d there: loss, gradient and products to 12 digits."""
    ours, theirs = (
        architectures.omniglot_cnn(3, **SMALL, norm=norm)
        for norm in (SupportNorm2d, BatchNorm2d)
    )
    phi, x, _, _ = point(ours)
    y = np.random.default_rng(1).integers(3, size=(T, SUPPORT))
    found, want = (loss_of(net).linearize(phi, x, y) for net in (ours, theirs))
    v = np.random.default_rng(2).normal(size=phi.shape)
    assert_allclose(found.value, want.value, rtol=1e-12)
    assert_allclose(found.grad, want.grad, rtol=1e-9, atol=1e-13)
    assert_allclose(found.hvp(v), want.hvp(v), rtol=1e-8, atol=1e-11)


def test_a_queries_moments_are_those_of_the_support_set_by_hand():
    """One layer, its moments taken by NumPy from the support set alone."""
    phi, x, query, _ = point(architectures.omniglot_cnn(3, **SMALL))
    net = ir.Network({"norm": SupportNorm2d(2), "flatten": Flatten()}, (14, 13, 2))
    gamma, beta = phi[:, None, None, None, :2], phi[:, None, None, None, 2:4]
    mean = x.mean((1, 2, 3), keepdims=True)
    sigma = (x.var((1, 2, 3), keepdims=True) + 1e-5) ** 0.5
    want = (gamma * (query - mean) / sigma + beta).reshape(T, QUERIES, -1)
    assert_allclose(net.logits(phi[:, :4], query, x), want, rtol=1e-12, atol=1e-13)


def test_value_linearize_and_logits_take_the_same_context(net):
    phi, x, query, y = point(net)
    loss = loss_of(net)
    lin = loss.linearize(phi, query, y, x)
    assert_array_equal(lin.outputs, net.logits(phi, query, x))
    assert_array_equal(loss.value(phi, query, y, context=x), lin.value)
    assert lin.outputs.shape == (T, QUERIES, 3)
    together = loss.linearize(phi, query, y)
    assert (abs(together.value - lin.value) > 1e-4).all()
    assert context_for(loss, x)["context"] is context_for(net, x)["context"] is x
    operator, v = lin.hessian_operator(1), np.ones(phi.shape[1])
    assert_allclose(operator @ v, lin.hvp(0 * phi + v)[1], rtol=1e-9, atol=1e-12)


def test_a_network_that_asks_for_none_runs_as_without():
    """The same bits, by whatever path computes it."""
    net = architectures.omniglot_cnn(3, **SMALL)
    phi, x, query, y = point(net)
    assert not net.looks_at_support
    assert context_for(net, x) == context_for(loss_of(net), x) == {}
    assert_array_equal(net.logits(phi, query, x), net.logits(phi, query))
    alone, given = (loss_of(net).linearize(phi, query, y, c) for c in (None, x))
    assert type(given) is type(alone)
    assert_array_equal(given.grad, alone.grad)
    assert_array_equal(given.hvp(phi), alone.hvp(phi))


@needs_fused
@pytest.mark.parametrize("norm", NORMS.values())
def test_faster_paths_leave_such_networks_to_the_layers(norm):
    net = architectures.omniglot_cnn(3, **SMALL, norm=norm)
    for asked in (net, net.given(SUPPORT)):
        assert not covers(asked)
        assert not covers_on_a_device(asked)
    assert covers(architectures.omniglot_cnn(3, **SMALL))
    phi, x, query, y = (a.astype("f4") if a.dtype == float else a for a in point(net))
    loss = loss_of(net)
    assert type(loss.linearize(phi, query, y, x)).__name__ == "Linearization"
    tasks = ir.TaskBatch(x, np.arange(SUPPORT)[None].repeat(T, 0) % 3, query, y)
    found = ir.IMAML(loss)(phi[0], tasks)
    with plain_path():
        assert_array_equal(ir.IMAML(loss)(phi[0], tasks).grad, found.grad)


def test_a_network_that_was_given_its_support_set_asks_no_more(net):
    given = net.given(2)
    assert not given.looks_at_support
    assert given.layout is net.layout
    assert net.looks_at_support
    assert "after the su" in str(given)
    phi, x, _, _ = point(net)
    with pytest.raises(ValueError, match=r"N at least 6, got \(2, 5, 7, 7, 3\)"):
        net.given(6).logits(phi, x)


def test_queries_are_not_to_be_normalised_together_elsewhere():
    layers = {"one": SupportNorm2d(2), "two": BatchNorm2d(2), "flatten": Flatten()}
    with pytest.raises(ValueError, match="BatchNorm2d would normalise queries and"):
        ir.Network(layers, (3, 4, 2))


def test_a_net_trained_in_torch_keeps_its_running_statistics():
    """Outputs of BatchNorm2d in eval(), weights and buffers taken over: 13 digits."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, (3, 2)), torch.nn.BatchNorm2d(3), torch.nn.Softplus()
    ).double()
    for _ in range(5):
        model(3 + 2 * torch.randn(6, 2, 5, 6).double())
    conv, norm, _ = model.eval()
    ours = RunningNorm2d(norm.running_mean.numpy(), norm.running_var.numpy(), norm.eps)
    layers = {"conv": Conv2d(2, 3, (3, 2)), "norm": ours, "act": Softplus()}
    net = ir.Network(layers | {"flatten": Flatten()}, (5, 6, 2))
    with torch.no_grad():
        norm.weight += 0.3
        norm.bias -= 0.2
        parameters = {
            "conv.kernel": conv.weight.permute(2, 3, 1, 0).numpy(),
            "conv.bias": conv.bias.numpy(),
            "norm.gamma": norm.weight.numpy(),
            "norm.beta": norm.bias.numpy(),
        }
        x = torch.randn(4, 2, 5, 6).double()
        want = model(x).permute(0, 2, 3, 1).flatten(1).numpy()
    phi, x = net.layout.pack(parameters), x.permute(0, 2, 3, 1).numpy()
    assert_allclose(net.logits(phi, x[None])[0], want, rtol=1e-12, atol=1e-14)
    assert net.logits(phi.astype("f4"), x[None].astype("f4")).dtype == np.float32
    head = {"flatten": Flatten(), "head": Linear(45, 2)}
    check_network(ir.Network(layers | head, (5, 6, 2)))


@pytest.mark.parametrize(
    "statistics",
    [
        ([0.0, 1.0], [1.0]),
        ([[0.0, 1.0]], [[1.0, 1.0]]),
        ([0.0, np.nan], [1.0, 1.0]),
        ([0.0, 1.0], [1.0, -1.0]),
        ([0.0, 1.0], [1.0, np.inf]),
    ],
)
def test_statistics_that_are_none_are_refused(statistics):
    with pytest.raises(ValueError, match="expected finite statistics"):
        RunningNorm2d(*map(np.array, statistics))
