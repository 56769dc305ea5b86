"""Networks and losses in JAX, written from docs/conformance-format.md alone.

Here to be broken, as program_jax is.
"""

import jax
import jax.numpy as jnp
import numpy
from jax import lax


def unflatten(layers, phi):
    """Return the parameters of each layer from a vector (P,)."""
    out, at = [], 0
    for spec in layers:
        arrays = []
        for shape in sizes(spec):
            count = int(numpy.prod(shape))
            arrays.append(phi[at : at + count].reshape(shape))
            at += count
        out.append(arrays)
    return out


def sizes(spec):
    """Return the shapes of a layer's parameters."""
    match spec["type"]:
        case "Linear":
            inputs, outputs = spec["in_features"], spec["out_features"]
            return [(inputs, outputs), (outputs,)]
        case "Conv2d":
            kernel = (*spec["kernel_size"], spec["in_channels"], spec["out_channels"])
            return [kernel, (spec["out_channels"],)][: 1 + spec["use_bias"]]
        case "BatchNorm2d":
            return [(spec["num_channels"],)] * 2
    return []


def apply(layers, phi, x):
    """Return the outputs (N, D)."""
    for spec, params in zip(layers, unflatten(layers, phi), strict=True):
        x = layer(spec, params, x)
    return x


def layer(spec, params, x):
    """Return what one layer makes of (N, ...)."""
    return LAYERS[spec["type"]](spec, x, *params)


def linear(spec, x, kernel, bias):
    """Return x W + b."""
    return jnp.dot(x, kernel) + bias


def batch_norm(spec, x, gamma, beta):
    """Normalise with the statistics of the batch."""
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    scaled = (x - mean) * lax.rsqrt(var + spec["eps"])
    return scaled * gamma + beta


def zero_pad(spec, x):
    """Add zeros below and on the right."""
    return jnp.pad(x, ((0, 0), (0, spec["bottom"]), (0, spec["right"]), (0, 0)))


def elu(spec, x):
    """Return x, or α (exp x − 1) below zero."""
    safe = jnp.where(x > 0, 0.0, x)
    return jnp.where(x > 0, x, spec["alpha"] * jnp.expm1(safe))


def convolve(spec, x, kernel, bias=0.0):
    """Return the cross-correlation with zeros on all sides."""
    rows, columns = spec["padding"]
    y = lax.conv_general_dilated(
        x,
        kernel,
        window_strides=spec["stride"],
        padding=[(rows, rows), (columns, columns)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y + bias


def pool(spec, x, reduce):
    """Return a number for each window of each channel."""
    size = spec["window"]
    h, w = (size, size) if isinstance(size, int) else size
    n, rows, columns, c = x.shape
    x = x[:, : rows // h * h, : columns // w * w]
    x = x.reshape(n, rows // h, h, columns // w, w, c)
    return reduce(
        x.transpose(0, 1, 3, 5, 2, 4).reshape(*x.shape[:2], x.shape[3], c, -1)
    )


def first_max(windows):
    """Return the first largest entry along the last axis."""
    best = jnp.argmax(lax.stop_gradient(windows), axis=-1)
    return jnp.take_along_axis(windows, best[..., None], axis=-1)[..., 0]


LAYERS = {
    "Linear": linear,
    "Conv2d": lambda spec, x, *params: convolve(spec, x, *params),
    "BatchNorm2d": batch_norm,
    "ZeroPad2d": zero_pad,
    "MaxPool2d": lambda spec, x: pool(spec, x, first_max),
    "AveragePool2d": lambda spec, x: pool(spec, x, lambda w: w.mean(-1)),
    "GlobalAveragePool2d": lambda spec, x: x.mean((1, 2)),
    "Flatten": lambda spec, x: x.reshape(len(x), -1),
    "ReLU": lambda spec, x: jax.nn.relu(x),
    "Softplus": lambda spec, x: jnp.logaddexp(x, 0.0),
    "Tanh": lambda spec, x: jnp.tanh(x),
    "ELU": elu,
}


def criterion(kind, z, y):
    """Return the mean loss of outputs (N, D)."""
    if kind == "cross-entropy":
        logp = jax.nn.log_softmax(z, axis=-1)
        return -jnp.mean(jnp.take_along_axis(logp, y[:, None], axis=1))
    return 0.5 * jnp.mean(jnp.sum(jnp.square(z - y), axis=-1))
