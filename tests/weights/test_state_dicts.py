"""State dicts as plain arrays: layouts by their indices, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.layers import Conv2d, Flatten, GlobalAveragePool2d, Layer, Linear
from imaml_ref.weights import channels_before

NET = ir.Network(
    {
        "conv": Conv2d(2, 3, kernel_size=(2, 1)),
        "flatten": Flatten(),
        "hidden": Linear(4 * 6 * 3, 5),
        "head": Linear(5, 4),
    },
    (5, 6, 2),
)
THETA = np.random.default_rng(0).normal(size=NET.layout.size)


def state():
    return ir.weights.to_torch_state_dict(NET, THETA)


def test_every_entry_lies_where_pytorch_looks_for_it():
    p, found = NET.unpack(THETA), state()
    kernel, weight = p["conv"]["kernel"], found["conv.weight"]
    assert weight.shape == (3, 2, 2, 1)
    for a, b, i, o in np.ndindex(kernel.shape):
        assert weight[o, i, a, b] == kernel[a, b, i, o]
    kernel, weight = p["hidden"]["kernel"], found["hidden.weight"]
    for h, w, c, o in np.ndindex(4, 6, 3, 5):
        ours, theirs = (6 * h + w) * 3 + c, (4 * c + h) * 6 + w
        assert weight[o, theirs] == kernel[ours, o]
    assert_array_equal(found["head.weight"], p["head"]["kernel"].T)
    assert_array_equal(found["head.bias"], p["head"]["bias"])


def test_channels_count_until_a_kernel_has_mixed_them():
    counts = [channels_before(NET, layer) for layer in NET.layers]
    assert counts == [1, 1, 3, 1]
    layers = {"pool": GlobalAveragePool2d(), "head": Linear(3, 2)}
    assert channels_before(ir.Network(layers, (4, 5, 3)), "head") == 1


class Gain(Layer):
    """y = γ x, γ of the shape of x; or the same called inside it, and a kernel."""

    def __init__(self, *shape, name="gamma"):
        self.shapes_ = {name: shape}

    shapes = property(lambda self: self.shapes_)

    def forward(self, p, x):
        (gamma,) = p.values()
        y = x * gamma[:, None] if gamma.shape[1:] == x.shape[2:] else x @ gamma
        return y, None

    jvp = vjp = vjp_dot = forward  # nobody asks for derivatives


def test_scales_of_images_go_channels_first_flat_or_not():
    layers = {"images": Gain(4, 6, 3), "flatten": Flatten(), "flatten1": Gain(72)}
    net = ir.Network(layers | {"head": Linear(72, 2)}, (4, 6, 3))
    theta = np.arange(float(net.layout.size))
    p, found = net.unpack(theta), ir.weights.to_torch_state_dict(net, theta)
    assert found["images.weight"].shape == (3, 4, 6)
    for h, w, c in np.ndindex(4, 6, 3):
        ours, theirs = (6 * h + w) * 3 + c, (4 * c + h) * 6 + w
        assert found["images.weight"][c, h, w] == p["images"]["gamma"][h, w, c]
        assert found["flatten1.weight"][theirs] == p["flatten1"]["gamma"][ours]
        assert found["head.weight"][1, theirs] == p["head"]["kernel"][ours, 1]
    back, _ = ir.weights.from_torch_state_dict(net, found)
    assert_array_equal(back, theta)


def test_a_kernel_inside_a_layer_on_flat_images_has_no_known_order():
    inside = Gain(72, 5, name="body.linear.kernel")
    layers = {"flatten": Flatten(), "block": inside, "head": Linear(5, 2)}
    net = ir.Network(layers, (4, 6, 3))
    with pytest.raises(
        ValueError, match=r"^block.body.linear: the order of its rows is"
    ):
        ir.weights.to_torch_state_dict(net, np.zeros(net.layout.size))
    assert channels_before(net, "head") == 1
    vectors = ir.Network({"block": inside, "head": Linear(5, 2)}, (72,))
    theta = np.arange(float(vectors.layout.size))
    found = ir.weights.to_torch_state_dict(vectors, theta)
    kernel = vectors.layout.unpack(theta)["block.body.linear.kernel"]
    assert_array_equal(found["block.body.linear.weight"], kernel.T)
    back, _ = ir.weights.from_torch_state_dict(vectors, found)
    assert_array_equal(back, theta)


def test_what_is_returned_is_nobody_elses_memory():
    theta, like = THETA.copy(), state() | {"norm.running_var": np.ones(3)}
    _, rest = ir.weights.from_torch_state_dict(NET, like)
    back = ir.weights.to_torch_state_dict(NET, theta, like=like)
    for a in [*back.values(), *rest.values()]:
        assert not np.shares_memory(a, theta)
        a[...] = 0
    assert_array_equal(like["norm.running_var"], np.ones(3))
    assert_array_equal(theta, THETA)
    assert_array_equal(like["conv.bias"], NET.unpack(THETA)["conv"]["bias"])


def test_all_that_does_not_fit_is_named_in_one_line():
    odd = state()
    del odd["hidden.bias"]
    odd["head.weight"] = odd["head.weight"].T
    odd["aux.3.weight"] = np.zeros((7, 7))
    odd["scale"] = np.zeros(3)
    with pytest.raises(ValueError, match="does not fit") as caught:
        ir.weights.from_torch_state_dict(NET, odd)
    said = str(caught.value)
    assert "\n" not in said
    for part in (
        "nothing for hidden.bias;",
        "head.weight (5, 4) for head.kernel, expected one tensor (4, 5);",
        "aux.3.weight is superfluous;",
        "scale is superfluous;",
        "give names",
    ):
        assert part in said
    with pytest.raises(ValueError, match=r"nothing for hidden.bias; head.weight"):
        ir.weights.to_torch_state_dict(NET, THETA, like=odd)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"state_dict": {"a": 1}}, TypeError, "^state_dict is no tensor .*only$"),
        ({"arch": "conv4"}, TypeError, "^arch is no tensor for NumPy: 'conv4'; give"),
        ({"conv.bias": None}, TypeError, "^conv.bias is no tensor for NumPy: None"),
        (
            {"head.bias": np.zeros(4, np.float32)},
            TypeError,
            "head.kernel is float64, head.bias is float32$",
        ),
        ({"head.bias": np.zeros((4, 1))}, ValueError, r"head.bias \(4, 1\) for head.b"),
    ],
)
def test_an_entry_that_cannot_be_taken_is_named(change, error, message):
    with pytest.raises(error, match=message):
        ir.weights.from_torch_state_dict(NET, state() | change)


def test_names_that_are_wrong_are_refused():
    with pytest.raises(
        ValueError, match=r"^names has cnov; layers are conv, hidden, h"
    ):
        ir.weights.from_torch_state_dict(NET, state(), names={"cnov": "conv"})
    with pytest.raises(
        ValueError, match=r"nothing for conv.kernel; nothing for conv.b"
    ):
        ir.weights.from_torch_state_dict(NET, state(), names={"conv": "stem"})
    with pytest.raises(
        ValueError, match=r"conv.weight .* expected one tensor .*; head"
    ):
        ir.weights.from_torch_state_dict(NET, state(), names={"hidden": "conv"})


def test_a_module_that_serves_two_layers_is_refused():
    """Going back, one of the two would be lost."""
    net = ir.architectures.mlp((3,), (3,), 3)
    once = {"fc.weight": np.eye(3), "fc.bias": np.ones(3)}
    both = {"linear1": "fc", "head": "fc"}
    with pytest.raises(ValueError, match=r"fc.bias \(3,\) for head.bias, expected one"):
        ir.weights.from_torch_state_dict(net, once, names=both)


def test_a_module_that_is_a_layer_itself_has_tensors_without_its_name():
    net = ir.architectures.linear((3,), 2)
    like = {"weight": np.arange(6.0).reshape(2, 3), "bias": np.ones(2)}
    theta, _ = ir.weights.from_torch_state_dict(net, like)
    assert_array_equal(net.unpack(theta)["head"]["kernel"], like["weight"].T)
    back = ir.weights.to_torch_state_dict(net, 2 * theta, like=like)
    assert_array_equal(back["weight"], 2 * like["weight"])
    assert list(back) == ["weight", "bias"]


@pytest.mark.parametrize("theta", [THETA[:-1], np.stack([THETA] * 2)], ids=["-", "T"])
def test_a_theta_of_another_shape_is_refused(theta):
    with pytest.raises(ValueError, match=rf"θ expects shape \({len(THETA)},\), got \("):
        ir.weights.to_torch_state_dict(NET, theta)
    with pytest.raises(TypeError, match="θ must be a NumPy or CuPy array, got list"):
        ir.weights.to_torch_state_dict(NET, theta.tolist())
