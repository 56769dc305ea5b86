"""Values, gradients and H v of small networks agree with PyTorch's, in float64.

H v is the gradient of the gradient: by other routes that of its layer normalisation is
not the derivative of the gradient (docs/frameworks.md).
"""

import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from tests.helpers.framework_nets import (  # noqa: E402
    EPS,
    IMAGES,
    NETS,
    Said,
    ours,
    point,
)

CLOSE = {"rtol": 1e-10, "atol": 1e-11}


def first_channels(f):
    """Return a function of images (N, H, W, C) from one of (N, C, H, W)."""
    return lambda p, x: f(p, x.movedim(-1, 1)).movedim(1, -1)


def layer_norm(p, x):
    return F.layer_norm(x, p["gamma"].shape, p["gamma"], p["beta"], EPS)


def group_norm(groups):
    return lambda p, x: F.group_norm(x, groups, p["gamma"], p["beta"], EPS)


def instance_norm(p, x):
    return F.instance_norm(x, weight=p["gamma"], bias=p["beta"], eps=EPS)


def at_pixels(p, x, name):
    """A convolution of 1 × 1 is a linear layer at each pixel, and may be one."""
    kernel = p[f"{name}.kernel"]
    return x @ kernel.reshape(kernel.shape[-2:]) + p[f"{name}.bias"]


def skipped(p, x):
    norm = {n: p[f"skip.norm.{n}"] for n in ("gamma", "beta")}
    skip = first_channels(group_norm(2))(norm, at_pixels(p, x, "skip.conv"))
    return skip + at_pixels(p, F.silu(x), "body.conv")


LAYERS = {
    "layer_norm": layer_norm,
    "layer_norm-pixels": layer_norm,
    "layer_norm-features": layer_norm,
    "group_norm": first_channels(group_norm(2)),
    "group_norm-features": group_norm(3),
    "instance_norm": first_channels(instance_norm),
    "leaky_relu": lambda p, x: F.leaky_relu(x, 0.2),
    "silu": lambda p, x: F.silu(x),
    "gelu": lambda p, x: F.gelu(x),
    "gelu_tanh": lambda p, x: F.gelu(x, approximate="tanh"),
    "residual": lambda p, x: x + at_pixels(p, F.gelu(x), "body.linear"),
    "residual-skip": skipped,
}


def theirs(net, layer, at):
    """Return what PyTorch says of the same network."""
    phi, v, x = (torch.tensor(a).requires_grad_() for a in (at.phi, at.v, at.x))
    p = net.layout.unpack(phi)
    of_layer = {n.removeprefix("layer."): a for n, a in p.items()}
    z = at_pixels(p, layer(of_layer, at_pixels(p, x, "first")).flatten(1), "head")
    loss = F.cross_entropy(z, torch.tensor(at.y))
    (grad,) = torch.autograd.grad(loss, phi, create_graph=True)
    (hvp,) = torch.autograd.grad(grad @ v.detach(), phi)
    return Said(*(a.detach().numpy() for a in (z, grad, hvp)))


@pytest.mark.parametrize("name", NETS)
def test_values_gradients_and_products_are_theirs(name):
    net = NETS[name]
    at = point(net)
    got, want = ours(net, at), theirs(net, LAYERS[name], at)
    for what in Said._fields:
        assert_allclose(getattr(got, what), getattr(want, what), **CLOSE, err_msg=what)


def test_their_modules_have_our_defaults():
    from imaml_ref.layers import GroupNorm, InstanceNorm2d, LayerNorm, LeakyReLU

    theirs = torch.nn.LayerNorm(IMAGES), torch.nn.GroupNorm(2, 6)
    for layer, module in zip((LayerNorm(IMAGES), GroupNorm(2, 6)), theirs, strict=True):
        assert layer.eps == module.eps
        assert layer.shapes["gamma"] == tuple(module.weight.shape)
    assert InstanceNorm2d(6).eps == torch.nn.InstanceNorm2d(6).eps
    assert LeakyReLU().negative_slope == torch.nn.LeakyReLU().negative_slope
