"""A chain beside a skip: its names, its start, and what it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.layers import BatchNorm2d, Conv2d, Linear, ReLU, Residual, Tanh
from imaml_ref.networks import Network, logits_alone

NESTED = Residual(
    {"conv": Conv2d(2, 3, (1, 1)), "inner": Residual({"norm": BatchNorm2d(3)})},
    {"conv": Conv2d(2, 3, (1, 1), use_bias=False)},
)


def test_parameters_are_called_by_the_way_to_them():
    assert NESTED.shapes == {
        "body.conv.kernel": (1, 1, 2, 3),
        "body.conv.bias": (3,),
        "body.inner.body.norm.gamma": (3,),
        "body.inner.body.norm.beta": (3,),
        "skip.conv.kernel": (1, 1, 2, 3),
    }
    net = Network({"first": NESTED, "second": Residual({"tanh": Tanh()})}, (4, 5, 2))
    assert net.layout.names == tuple(f"first.{name}" for name in NESTED.shapes)


def test_each_layer_starts_as_it_does_alone():
    found = NESTED.init(np.random.default_rng(0))
    rng = np.random.default_rng(0)
    first = Conv2d(2, 3, (1, 1)).init(rng)
    assert_array_equal(found["body.conv.kernel"], first["kernel"])
    assert_array_equal(found["body.inner.body.norm.gamma"], np.ones(3))
    second = Conv2d(2, 3, (1, 1), use_bias=False).init(rng)
    assert_array_equal(found["skip.conv.kernel"], second["kernel"])


def test_without_layers_it_is_twice_x():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    y, saved = Residual({}).forward({}, x)
    _, x_bar = Residual({}).vjp({}, saved, x)
    assert_array_equal(y, 2 * x)
    assert_array_equal(x_bar, 2 * x)


def test_shapes_that_differ_are_not_stretched():
    layer = Residual({"linear": Linear(4, 1)})
    p = {n: np.ones((2, *s)) for n, s in layer.shapes.items()}
    expected = r"got \(2, 3, 1\) of the body and \(2, 3, 4\) of the skip"
    with pytest.raises(ValueError, match=expected):
        layer.forward(p, np.ones((2, 3, 4)))


WRONG = {
    "no mapping": ([Tanh()], TypeError, "body must be a dict of them by name"),
    "no layer": ({"a": 3}, ValueError, "layer 'a' must be an object with vjp_dot"),
    "a class": ({"a": ReLU}, ValueError, "layer 'a' must be an object with vjp_dot"),
    "two names": (
        {"a": Tanh(), "a.b": Tanh()},
        ValueError,
        r"body: another name begins with 'a\.'",
    ),
}


@pytest.mark.parametrize(("body", "kind", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_chain_is_refused(body, kind, message):
    with pytest.raises(kind, match=message):
        Residual(body)
    with pytest.raises(kind, match=message.replace("body", "layers")):
        Network(body, (4,))


def test_what_is_in_it_is_its_own():
    body = {"linear": Linear(4, 4)}
    layer = Residual(body)
    body["tanh"] = Tanh()
    assert layer == Residual({"linear": Linear(4, 4)})


def test_layers_inside_see_the_batch_or_not_as_they_do_outside():
    """A batch normalisation does, inside too: an example alone has other logits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 3, 4, 5, 2))
    for body, same in (({"norm": BatchNorm2d(2)}, False), ({"tanh": Tanh()}, True)):
        net = Network({"residual": Residual(body)}, (4, 5, 2))
        phi = rng.normal(size=(1, net.layout.size))
        assert np.allclose(logits_alone(net, phi, x), net.logits(phi, x)) == same
