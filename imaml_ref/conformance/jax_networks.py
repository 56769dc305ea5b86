"""The networks and losses of the suite as functions of JAX, for ``from_jax``.

Parameters are nested dicts with Flax's names, images (N, H, W, C).
"""

import functools
import json
from collections.abc import Callable

import jax
from jax import numpy as jnp

from .case import Case

Params = dict[str, dict[str, jax.Array]]


def cross_entropy(z: jax.Array, y: jax.Array) -> jax.Array:
    """Return the mean of −log softmax(z)_y."""
    of_class = jnp.take_along_axis(z, y[:, None], 1)[:, 0]
    return (jax.nn.logsumexp(z, axis=1) - of_class).mean()


def squared_error(z: jax.Array, y: jax.Array) -> jax.Array:
    """Return the mean over examples of ½‖z − y‖²."""
    return ((z - y) ** 2).sum(-1).mean() / 2


LOSSES = {"cross-entropy": cross_entropy, "squared-error": squared_error}


def apply_of(case: Case) -> Callable[[Params, jax.Array], jax.Array]:
    """Return the network of a case, the same function for the same network."""
    return chain(json.dumps(case.network))


@functools.cache
def chain(text: str) -> Callable[[Params, jax.Array], jax.Array]:
    """Return the network that a JSON text describes."""
    entries = json.loads(text)["layers"]

    def apply(params, x):
        for entry in entries:
            x = LAYERS[entry["type"]](entry, params.get(entry["name"], {}), x)
        return x

    return apply


def conv2d(entry, p, x):
    """Correlate images with a kernel."""
    y = jax.lax.conv_general_dilated(
        x,
        p["kernel"],
        entry["stride"],
        [(n, n) for n in entry["padding"]],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y + p["bias"] if entry["use_bias"] else y


def batch_norm(entry, p, x):
    """Normalise each channel by the mean and the variance of the batch."""
    centred = x - x.mean((0, 1, 2))
    variance = (centred**2).mean((0, 1, 2))
    return p["scale"] * centred / jnp.sqrt(variance + entry["eps"]) + p["bias"]


def windows(entry, x):
    """Return windows side by side, (N, H', kh, W', kw, C)."""
    kh, kw = entry["window"]
    rows, columns = x.shape[1] // kh, x.shape[2] // kw
    cut = x[:, : rows * kh, : columns * kw]
    return cut.reshape(len(x), rows, kh, columns, kw, x.shape[-1])


LAYERS: dict[str, Callable] = {
    "Conv2d": conv2d,
    "ZeroPad2d": lambda e, p, x: jnp.pad(
        x, ((0, 0), (0, e["bottom"]), (0, e["right"]), (0, 0))
    ),
    "BatchNorm2d": batch_norm,
    "Linear": lambda e, p, x: x @ p["kernel"] + p["bias"],
    "Flatten": lambda e, p, x: x.reshape(len(x), -1),
    "ReLU": lambda e, p, x: jax.nn.relu(x),
    "Softplus": lambda e, p, x: jax.nn.softplus(x),
    "Tanh": lambda e, p, x: jnp.tanh(x),
    "ELU": lambda e, p, x: jax.nn.elu(x, e["alpha"]),
    "MaxPool2d": lambda e, p, x: windows(e, x).max((2, 4)),
    "AveragePool2d": lambda e, p, x: windows(e, x).mean((2, 4)),
    "GlobalAveragePool2d": lambda e, p, x: x.mean((1, 2)),
}
