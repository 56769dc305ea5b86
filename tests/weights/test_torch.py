"""Modules of PyTorch and our networks with the same weights compute the same."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

torch = pytest.importorskip("torch")

import imaml_ref as ir  # noqa: E402
from tests.helpers.torch_modules import (  # noqa: E402
    MODULES,
    Conv4,
    OmniglotCnn,
    images,
    made,
)

# Of the logits' norm.  In float32 sums of some hundred terms are right to 1e-6; each of
# four normalisations divides what is left of them by its spread.
CLOSE = {"float32": (1e-5, 1e-6), "float64": (1e-13, 1e-14)}  # normalised, or not


@pytest.fixture(params=MODULES.values(), ids=MODULES.keys())
def kind(request):
    return request.param


def assert_close(found, want, kind):
    """Compare logits, by the norm of all."""
    plain = not any("norm" in name for name in kind.net.layers)
    rtol = CLOSE[str(want.dtype)][plain]
    assert np.linalg.norm(found - want) <= rtol * np.linalg.norm(want)


def logits(module, x):
    with torch.no_grad():
        return module(x).numpy()


def loaded(module, arrays):
    """Return a module with a state dict of arrays, no entry missing or left over."""
    module.load_state_dict({n: torch.as_tensor(a) for n, a in arrays.items()})
    return module


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_logits_are_those_of_the_module(kind, dtype):
    module = made(kind, getattr(torch, dtype))
    x, theirs = images(kind.net, dtype)
    theta, _ = ir.weights.from_torch_state_dict(kind.net, module.state_dict())
    assert theta.dtype == dtype
    found, want = kind.net.logits(theta, x[None])[0], logits(module, theirs)
    assert_close(found, want, kind)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_module_is_the_same_to_the_bit_when_it_comes_back(kind, dtype):
    module, other = (made(kind, getattr(torch, dtype), seed) for seed in (0, 1))
    state = module.state_dict()
    theta, _ = ir.weights.from_torch_state_dict(kind.net, state)
    back = ir.weights.to_torch_state_dict(kind.net, theta, like=state)
    assert list(back) == list(state)
    for name, a in loaded(other, back).state_dict().items():
        assert_array_equal(a.numpy(), state[name].numpy(), strict=True)


def test_a_theta_that_was_trained_here_is_the_same_there(kind):
    theta = kind.net.init(np.random.default_rng(2), dtype=np.float32)
    module = made(kind)
    like = ir.weights.to_torch_state_dict(kind.net, theta, like=module.state_dict())
    x, theirs = images(kind.net, "float32")
    found, want = (
        kind.net.logits(theta, x[None])[0],
        logits(loaded(module, like), theirs),
    )
    assert_close(found, want, kind)


@pytest.mark.parametrize("net", [k.net for k in MODULES.values()], ids=MODULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_a_module_tensors_have_the_names_of_our_layers(net, dtype):
    theta = net.init(np.random.default_rng(3), dtype=dtype)
    state = ir.weights.to_torch_state_dict(net, theta)
    assert state["head.weight"].shape == net.layout.shapes[-2][::-1]
    back, rest = ir.weights.from_torch_state_dict(net, state)
    assert_array_equal(back, theta, strict=True)
    assert not rest


def test_running_statistics_come_by_our_names_and_go_back_as_they_were():
    module = made(Conv4)
    module(images(Conv4.net, "float32")[1])
    state = module.state_dict()
    theta, rest = ir.weights.from_torch_state_dict(Conv4.net, state)
    names = "running_mean", "running_var", "num_batches_tracked"
    assert sorted(rest) == sorted(f"norm{i}.{n}" for i in range(1, 5) for n in names)
    want = state["encoder.2.1.running_mean"].numpy()
    assert np.ptp(want) > 0
    assert_array_equal(rest["norm3.running_mean"], want)
    assert rest["norm3.num_batches_tracked"] == 1
    back = ir.weights.to_torch_state_dict(Conv4.net, theta + 1, like=state)
    assert_array_equal(back["encoder.2.1.running_mean"], want)


def test_a_normalisation_without_parameters_is_asked_for_them():
    module = made(OmniglotCnn)
    module.norms[1] = torch.nn.BatchNorm2d(3, affine=False)
    with pytest.raises(ValueError, match=r"nothing for norm2.gamma; nothing for norm2"):
        ir.weights.from_torch_state_dict(OmniglotCnn.net, module.state_dict())


def test_parameters_that_are_trained_are_tensors_too():
    module = made(MODULES["mlp"])
    named = dict(module.named_parameters())
    theta, _ = ir.weights.from_torch_state_dict(module.net, named)
    assert_array_equal(
        theta, ir.weights.from_torch_state_dict(module.net, module.state_dict())[0]
    )


def test_what_order_and_kind_mistake_names_set_right():
    """Two convolutions of one shape, the later one defined first."""
    module = made(OmniglotCnn)
    state = module.state_dict()
    turned = {n: a for n, a in state.items() if n.startswith("convs.2")} | state
    theta, _ = ir.weights.from_torch_state_dict(OmniglotCnn.net, state)
    mistaken = {"conv2": "convs.1", "conv3": "convs.2", "conv4": "convs.3"}
    with pytest.raises(ValueError, match=r"convs.2.weight \(3, 3, 3, 3\) for conv1"):
        ir.weights.from_torch_state_dict(OmniglotCnn.net, turned)
    names = {"conv1": "convs.0"} | mistaken
    found, _ = ir.weights.from_torch_state_dict(OmniglotCnn.net, turned, names=names)
    assert_array_equal(found, theta)
    swapped = mistaken | {"conv2": "convs.3", "conv4": "convs.1"}
    other, _ = ir.weights.from_torch_state_dict(OmniglotCnn.net, state, names=swapped)
    assert not np.array_equal(other, theta)
    back = ir.weights.to_torch_state_dict(
        OmniglotCnn.net, other, like=state, names=swapped
    )
    assert all(np.array_equal(back[name], state[name]) for name in state)


def test_half_precision_is_refused_by_name():
    state = made(MODULES["mlp"]).state_dict()
    state["3.bias"] = state["3.bias"].bfloat16()
    with pytest.raises(TypeError, match=r"^3.bias is no tensor for NumPy: .*BFloat16"):
        ir.weights.from_torch_state_dict(MODULES["mlp"].net, state)
    state["3.bias"] = state["3.bias"].double()
    with pytest.raises(TypeError, match=r"linear2.bias is float64"):
        ir.weights.from_torch_state_dict(MODULES["mlp"].net, state)
