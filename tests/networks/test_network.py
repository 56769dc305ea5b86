"""Chains of layers over a flat vector: shapes, sweeps, and what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    Residual,
    Softplus,
    Tanh,
    TaskNorm2d,
)
from imaml_ref.networks import architectures
from imaml_ref.networks.network import Network
from imaml_ref.networks.parameters import ParameterLayout
from tests.helpers import oracles
from tests.helpers.cases import KINKED, NETWORKS

T, N = 2, 3


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def net(request):
    return request.param


def point(net, seed=0):
    rng = np.random.default_rng(seed)
    phi = net.init(rng) + 0.1 * rng.normal(size=(T, net.layout.size))
    return phi, rng.normal(size=(T, N, *net.input_shape))


def test_logits_chain_the_layers(net):
    phi, x = point(net)
    want, flat = x, net.layout.unpack(phi)
    for name, layer in net.layers.items():
        p = {n: flat[f"{name}.{n}"] for n in layer.shapes}
        want, _ = layer.forward(p, want)
    assert_array_equal(net.logits(phi, x), want)
    assert want.shape == (T, N, net.num_outputs)


def test_one_phi_serves_all_tasks(net):
    phi, x = point(net)
    want = net.logits(np.stack([phi[0]] * T), x)
    assert_array_equal(net.logits(phi[0], x), want)


def test_the_sweeps_agree_with_the_jacobian():
    net = architectures.mlp((3,), (4,), 2, activation=Tanh)
    phi, x = point(net)
    phi_dot, z_bar = np.ones_like(phi), np.arange(T * N * 2.0).reshape(T, N, 2)
    J = oracles.jacobian(lambda phi: net.logits(phi, x), phi)
    _, saved = net.forward(phi, x)
    z_dot, _ = net.jvp(phi, saved, phi_dot, np.zeros_like(x))
    assert_allclose(z_dot, J.sum(-1), rtol=1e-13)
    phi_bar, _ = net.vjp(phi, saved, z_bar)
    assert_allclose(phi_bar, np.einsum("tnd,tndp->tp", z_bar, J), rtol=1e-12)


def test_jvp_passes_a_tangent_of_the_inputs_on():
    net = architectures.mlp((3,), (4,), 2, activation=Tanh)
    phi, x = point(net)
    x_dot = np.random.default_rng(1).normal(size=x.shape)
    _, saved = net.forward(phi, x)
    z_dot, _ = net.jvp(phi, saved, np.zeros_like(phi), x_dot)
    want = net.forward(phi + 0j, x + 1e-30j * x_dot)[0].imag / 1e-30
    assert_allclose(z_dot, want, rtol=1e-13)


def test_the_net_of_the_released_code_has_its_size():
    net = architectures.omniglot_cnn(5)
    assert net.layout.size == 113_221
    assert net.layout.names[:4] == (
        "conv1.kernel",
        "conv1.bias",
        "norm1.gamma",
        "norm1.beta",
    )
    assert net.layout.shapes[-2:] == ((256, 5), (5,))


@pytest.mark.parametrize(
    ("shape", "features"), [((28, 28, 1), 64), ((84, 84, 3), 1600)]
)
def test_conv4_is_the_net_of_the_literature(shape, features):
    net = architectures.conv4(5, input_shape=shape)
    assert net.layout.shapes[-2] == (features, 5)
    assert net.layout.shapes[0] == (3, 3, shape[-1], 64)


def test_mlp_is_the_net_of_the_sinusoids():
    net = architectures.mlp()
    assert net.layout.shapes == ((1, 40), (40,), (40, 40), (40,), (40, 1), (1,))


def test_init_is_a_function_of_the_generator(net):
    theta = net.init(np.random.default_rng(3))
    assert theta.shape == (net.layout.size,)
    assert_array_equal(theta, net.init(np.random.default_rng(3)))
    assert net.init(np.random.default_rng(3), dtype=np.float32).dtype == np.float32


def test_layers_are_swapped_by_an_argument():
    smooth = architectures.omniglot_cnn(3, activation=Softplus, norm=None)
    kinds = {type(layer).__name__ for layer in smooth.layers.values()}
    assert kinds == {"Conv2d", "Softplus", "ZeroPad2d", "Flatten", "Linear"}


def test_inputs_of_another_dtype_are_refused():
    net = KINKED["mlp"]
    phi, x = point(net)
    message = r"real dtype of φ, float32, got float64; convert it with x.astype"
    with pytest.raises(TypeError, match=message):
        net.logits(phi.astype(np.float32), x)


def test_inputs_of_another_shape_are_refused():
    net = KINKED["mlp"]
    phi, _ = point(net)
    with pytest.raises(ValueError, match=r"\(2, N, 3\), got \(2, 3, 4\)"):
        net.logits(phi, np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match=r"\(2, N, 3\), got \(4, 3, 3\)"):
        net.logits(phi, np.zeros((4, 3, 3)))


def test_parameters_that_are_integers_are_refused():
    net = KINKED["mlp"]
    phi, x = point(net)
    with pytest.raises(TypeError, match=r"φ must hold .*, got int64; convert θ"):
        net.logits(phi.astype(np.int64), x)


def test_no_examples_are_refused():
    net = KINKED["mlp"]
    phi, x = point(net)
    with pytest.raises(ValueError, match=r"shape \(2, 0, 3\) has no examples"):
        net.logits(phi, x[:, :0])


def test_what_is_printed_fits_a_screen_and_says_layers_shapes_and_sizes():
    text = str(architectures.omniglot_cnn(5))
    first, *lines = text.splitlines()
    assert first == "<Network: 15 layers, (28, 28, 1) to 5, P = 113,221>"
    assert lines[1].split() == ["conv1", "Conv2d", "14", "×", "14", "×", "64", "640"]
    assert lines[-1].split() == ["head", "Linear", "5", "1,285"]
    assert len(lines) <= 24
    assert max(map(len, lines)) < 80
    net = architectures.mlp((3,), (4,), 2)
    assert repr(net) == "<Network: 3 layers, (3,) to 2, P = 26>"
    assert repr(net) in str(net)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    assert "object at 0x" not in f"{text}{net}{loss}{net.layers}"


def test_a_direction_of_another_shape_is_refused_wherever_it_is_asked_for():
    net = KINKED["mlp"]
    (phi, x), y = point(net), np.zeros((T, N), int)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    conv = ir.TaskLoss(KINKED["omniglot_cnn"], ir.SoftmaxCrossEntropy())
    for task_loss in (loss, conv):  # the second is fused
        phi, x = point(task_loss.net)
        for tasks in (T, 1):
            lin = task_loss.linearize(phi[:tasks], x[:tasks], y[:tasks])
            for v in (phi[0], phi[:tasks][None], phi[[0, 0, 0]]):
                with pytest.raises(ValueError, match=r"direction expects .* \(T, P\)"):
                    lin.hvp(v)
                with pytest.raises(ValueError, match=r"direction expects .* \(T, P\)"):
                    lin.gnvp(v)
            assert lin.hessian_operator()(phi[0]).shape == phi[0].shape
        with pytest.raises(ValueError, match=r"φ expects shape \(T, P\)"):
            task_loss.linearize(phi[0], x, y)


def test_sweeps_refuse_what_they_would_broadcast():
    net = KINKED["mlp"]
    phi, x = point(net)
    z, saved = net.forward(phi, x)
    _, saved_dot = net.jvp(phi, saved, phi, x)
    _, y_bars = net.vjp(phi, saved, z)
    with pytest.raises(ValueError, match=r"direction expects .*, got \(\d+,\)"):
        net.jvp(phi, saved, phi[0], x)
    with pytest.raises(ValueError, match=r"direction expects .*, got \(\d+,\)"):
        net.vjp_dot(phi, saved, phi[0], saved_dot, y_bars, z)
    for z_bar in (z[0], z[:1], z[..., :1]):
        with pytest.raises(ValueError, match=r"z̄ expects shape \(2, N, 2\), got"):
            net.vjp(phi, saved, z_bar)


def test_layers_that_do_not_fit_are_refused_at_once():
    with pytest.raises(ValueError, match=r"Linear expects .* 5\), got \(1, 2, 4\)"):
        Network({"a": Linear(3, 4), "b": Linear(5, 2)}, (3,))


LAYOUT = ParameterLayout(("a", "b"), ((2, 3), (4,)))


def test_layout_packs_what_it_unpacks():
    flat = np.arange(20.0).reshape(2, 10)
    named = LAYOUT.unpack(flat)
    assert named["a"].shape == (2, 2, 3)
    assert_array_equal(named["b"], flat[:, 6:])
    assert_array_equal(LAYOUT.pack(named), flat)
    assert LAYOUT.slices == (slice(0, 6), slice(6, 10))


def test_unpacked_parameters_are_views():
    flat = np.zeros((2, 10))
    LAYOUT.unpack(flat)["a"][...] = 1
    assert_array_equal(flat[0], [1] * 6 + [0] * 4)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"a": np.zeros((2, 3))}, "parameters do not fit: b is missing"),
        (
            {"a": np.zeros((3, 2)), "b": np.zeros(4)},
            r"a expects .*\(2, 3\), got \(3, 2",
        ),
    ],
)
def test_layout_refuses_what_does_not_fit(named, message):
    with pytest.raises(ValueError, match=message):
        LAYOUT.pack(named)


def test_pack_undoes_unpack_and_takes_dotted_names(net):
    phi, _ = point(net)
    for named in (net.unpack(phi), net.layout.unpack(phi)):
        packed = net.pack(dict(reversed(named.items())))
        assert_array_equal(packed, phi, strict=True)
        assert not np.shares_memory(packed, phi)
    one = net.pack(net.unpack(phi[1].astype(np.float32)))
    assert_array_equal(one, phi[1].astype(np.float32), strict=True)


def test_pack_names_all_that_does_not_fit_in_one_line():
    net = architectures.mlp((3,), (4,), 2)
    named = net.unpack(np.zeros((5, net.layout.size)))
    named["linear1"] = {"kernel": np.zeros((5, 4, 3)), "scale": np.zeros((5, 4))}
    named["head"]["bias"] = np.zeros(2)
    with pytest.raises(ValueError, match=r"^parameters do not fit: ") as caught:
        net.pack(named | {"tail": {"bias": np.zeros(2)}})
    assert str(caught.value).partition(": ")[2].split("; ") == [
        "linear1.bias is missing",
        "linear1.scale is unknown",
        "tail.bias is unknown",
        "linear1.kernel expects shape (5, 3, 4), got (5, 4, 3)",
        "head.bias expects shape (5, 2), got (2,)",
    ]


def test_pack_refuses_what_is_no_array_and_dtypes_that_differ():
    net = architectures.linear((3,), 2)
    named = net.layout.unpack(np.zeros(8))
    with pytest.raises(TypeError, match=r"head.bias must be a NumPy .* got list"):
        net.pack(named | {"head.bias": [0.0, 0.0]})
    with pytest.raises(TypeError, match=r"head.kernel is float64, head.bias is float3"):
        net.pack(named | {"head.bias": np.zeros(2, np.float32)})


def test_a_flat_vector_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"\(..., 10\), got \(2, 9\)"):
        LAYOUT.unpack(np.zeros((2, 9)))


def test_a_layer_beside_a_skip_is_told_of_the_support_set_too():
    """A query's logits do not depend on its neighbours, but on the support set."""
    inner = {"conv": Conv2d(2, 2, padding=(1, 1)), "norm": TaskNorm2d(2)}
    layers = {"block": Residual(inner), "flatten": Flatten(), "head": Linear(24, 3)}
    net, rng = Network(layers, (4, 3, 2)), np.random.default_rng(1)
    assert net.looks_at_support
    phi = net.init(rng)[None]
    support, x = (rng.normal(size=(1, n, 4, 3, 2)) for n in (5, 4))
    together = net.logits(phi, x, context=support)
    alone = net.logits(phi, x[:, 2:3], context=support)
    assert_allclose(together[:, 2:3], alone, rtol=1e-12)
    moved = net.logits(phi, x, context=support[:, :4])
    assert abs(moved - together).max() > 1e-3


def test_batch_normalisation_beside_one_by_the_support_set_is_refused():
    """Also where it hides beside a skip."""
    inside = Residual({"norm": BatchNorm2d(2)})
    layers = {"block": inside, "norm": TaskNorm2d(2), "flatten": Flatten()}
    with pytest.raises(ValueError, match="take SupportNorm2d in its place"):
        Network(layers, (4, 3, 2))
