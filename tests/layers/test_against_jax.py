"""Values, gradients and H v of small networks agree with those of JAX and flax.

In float64, which is asked for around each question: other tests run in float32.
"""

import pytest
from numpy.testing import assert_allclose

jax = pytest.importorskip("jax")
linen = pytest.importorskip("flax.linen")

from jax import numpy as jnp  # noqa: E402

from tests.helpers.framework_nets import EPS, NETS, Said, ours, point  # noqa: E402

CLOSE = {"rtol": 1e-10, "atol": 1e-11}


def module(make):
    """Return a function of (p, x) from what makes a normalisation of flax."""

    def layer(p, x):
        params = {"scale": p["gamma"], "bias": p["beta"]}
        return make(epsilon=EPS, param_dtype=x.dtype).apply({"params": params}, x)

    return layer


def over(*axes):
    """Return a layer normalisation over axes, γ and β on them."""
    return module(
        lambda **o: linen.LayerNorm(reduction_axes=axes, feature_axes=axes, **o)
    )


def groups(count):
    return module(lambda **o: linen.GroupNorm(num_groups=count, **o))


def at_pixels(p, x, name):
    """A convolution of 1 × 1 is a linear layer at each pixel, and may be one."""
    kernel = p[f"{name}.kernel"]
    return x @ kernel.reshape(kernel.shape[-2:]) + p[f"{name}.bias"]


def skipped(p, x):
    norm = {n: p[f"skip.norm.{n}"] for n in ("gamma", "beta")}
    skip = groups(2)(norm, at_pixels(p, x, "skip.conv"))
    return skip + at_pixels(p, linen.silu(x), "body.conv")


def gelu(x):
    return linen.gelu(x, approximate=False)


LAYERS = {
    "layer_norm": over(1, 2, 3),
    "layer_norm-pixels": over(-1),
    "layer_norm-features": over(-1),
    "group_norm": groups(2),
    "group_norm-features": groups(3),
    "instance_norm": module(linen.InstanceNorm),
    "leaky_relu": lambda p, x: linen.leaky_relu(x, 0.2),
    "silu": lambda p, x: linen.silu(x),
    "gelu": lambda p, x: gelu(x),
    "gelu_tanh": lambda p, x: linen.gelu(x, approximate=True),
    "residual": lambda p, x: x + at_pixels(p, gelu(x), "body.linear"),
    "residual-skip": skipped,
}


def theirs(net, layer, at):
    """Return what JAX says of the same network."""
    x, y, v = jnp.asarray(at.x), jnp.asarray(at.y), jnp.asarray(at.v)

    def outputs(phi):
        p = net.layout.unpack(phi)
        of_layer = {n.removeprefix("layer."): a for n, a in p.items()}
        a = layer(of_layer, at_pixels(p, x, "first"))
        return at_pixels(p, a.reshape(len(a), -1), "head")

    def loss(phi):
        return -jax.nn.log_softmax(outputs(phi))[jnp.arange(len(y)), y].mean()

    @jax.jit
    def said(phi):
        return outputs(phi), *jax.jvp(jax.grad(loss), (phi,), (v,))

    return Said(*said(jnp.asarray(at.phi)))


@pytest.mark.parametrize("name", NETS)
def test_values_gradients_and_products_are_theirs(name):
    net = NETS[name]
    at = point(net)
    with jax.enable_x64(True):
        want = theirs(net, LAYERS[name], at)
    got = ours(net, at)
    for what in Said._fields:
        assert_allclose(getattr(got, what), getattr(want, what), **CLOSE, err_msg=what)
