"""Small networks that other frameworks are asked about as well, and a point of each.

Each has a layer that they have too between a convolution or a linear layer and a head,
so that its second derivatives meet those of the loss and of a kernel before it.
"""

from typing import Any, NamedTuple

import numpy as np

import imaml_ref as ir
from imaml_ref import layers

N, WAYS, EPS = 5, 3, 1e-5
IMAGES, FEATURES = (4, 3, 6), (6,)  # of the input; convolutions are 1 × 1


def of_images(layer):
    """Return a network on images around a layer that keeps (4, 3, 6)."""
    head = {"flatten": layers.Flatten(), "head": layers.Linear(72, WAYS)}
    return ir.Network(
        {"first": layers.Conv2d(6, 6, (1, 1)), "layer": layer, **head}, IMAGES
    )


def of_features(layer):
    """Return a network on six features around a layer that keeps them."""
    first, head = layers.Linear(6, 6), layers.Linear(6, WAYS)
    return ir.Network({"first": first, "layer": layer, "head": head}, FEATURES)


NETS = {
    "layer_norm": of_images(layers.LayerNorm(IMAGES)),
    "layer_norm-pixels": of_images(layers.LayerNorm(6)),
    "layer_norm-features": of_features(layers.LayerNorm(6)),
    "group_norm": of_images(layers.GroupNorm(2, 6)),
    "group_norm-features": of_features(layers.GroupNorm(3, 6)),
    "instance_norm": of_images(layers.InstanceNorm2d(6)),
    "leaky_relu": of_features(layers.LeakyReLU(0.2)),
    "silu": of_features(layers.SiLU()),
    "gelu": of_features(layers.GELU()),
    "gelu_tanh": of_features(layers.GELUTanh()),
    "residual": of_features(
        layers.Residual({"gelu": layers.GELU(), "linear": layers.Linear(6, 6)})
    ),
    "residual-skip": of_images(
        layers.Residual(
            {"silu": layers.SiLU(), "conv": layers.Conv2d(6, 6, (1, 1))},
            {"conv": layers.Conv2d(6, 6, (1, 1)), "norm": layers.GroupNorm(2, 6)},
        )
    ),
}


class Said(NamedTuple):
    """Outputs (N, D), ∇L (P,) and H v (P,) of one task."""

    outputs: Any
    grad: Any
    hvp: Any


class Asked(NamedTuple):
    """φ and v (P,), inputs (N, ...) and labels (N,) of one task."""

    phi: Any
    v: Any
    x: Any
    y: Any


def point(net):
    """Return a random point: nothing is one or zero that is at the start."""
    rng = np.random.default_rng(3)
    size = net.layout.size
    x = rng.normal(size=(N, *net.input_shape))
    return Asked(*rng.normal(size=(2, size)), x, rng.integers(WAYS, size=N))


def ours(net, at):
    """Return what imaml_ref says."""
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    lin = loss.linearize(*(a[None] for a in (at.phi, at.x, at.y)))
    return Said(lin.outputs[0], lin.grad[0], lin.hvp(at.v[None])[0])
