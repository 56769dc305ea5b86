"""The layers once more, by loops over pixels, from the plain data of a network.

They share no line with ``layers`` and follow the textbook.  Parameters carry an axis of
copies, (C, *shape), so that one pass evaluates many points; complex numbers pass
through.  Which units of ReLU are on, and which entries of windows are the largest, can
be kept from an earlier pass: differences then never cross a kink.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from .case import Array

REAL = numpy.longdouble


def outputs(
    network: Mapping[str, Any],
    p: Mapping[str, Array],
    x: Array,
    kept: dict[str, Array] | None = None,
) -> Array:
    """Return z (C, N, D) for parameters (C, *shape) by name and inputs (N, ...).

    Args:
        network: As ``plain`` describes it.
        p: The parameters.
        x: The inputs.
        kept: The choices of kinked layers by name, made where they are missing; by
            default every pass makes its own.
    """
    count = len(next(iter(p.values())))
    y = numpy.repeat(x[None].astype(REAL), count, 0)
    for entry in network["layers"]:
        own = {
            k.split(".")[1]: a
            for k, a in p.items()
            if k.startswith(entry["name"] + ".")
        }
        y = LAYERS[entry["type"]](entry | {"kept": kept}, own, y)
    return y


def conv2d(entry, p, x):
    """Correlate, one output pixel at a time."""
    (kh, kw), (down, across) = entry["kernel_size"], entry["stride"]
    x = padded(x, *entry["padding"], *entry["padding"])
    rows, columns = (x.shape[2] - kh) // down + 1, (x.shape[3] - kw) // across + 1
    y = numpy.zeros(
        (*x.shape[:2], rows, columns, entry["out_channels"]), p["kernel"].dtype
    )
    for i in range(rows):
        for j in range(columns):
            window = x[:, :, i * down : i * down + kh, j * across : j * across + kw]
            y[:, :, i, j] = numpy.einsum("cnabk,cabko->cno", window, p["kernel"])
    return y + p["bias"][:, None, None, None] if entry["use_bias"] else y


def padded(x, top, left, bottom, right):
    """Surround images with zeros."""
    return numpy.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right), (0, 0)))


def zero_pad(entry, p, x):
    """Add zeros at the bottom and on the right."""
    return padded(x, 0, 0, entry["bottom"], entry["right"])


def batch_norm(entry, p, x):
    """Normalise over examples and pixels, channel by channel."""
    y = numpy.empty(x.shape, p["gamma"].dtype)
    for k in range(x.shape[-1]):
        a = x[..., k]
        places = a[0].size
        mean = a.reshape(len(a), -1).sum(1)[:, None, None, None] / places
        squares = ((a - mean) ** 2).reshape(len(a), -1).sum(1)[:, None, None, None]
        scaled = (a - mean) / (squares / places + REAL(entry["eps"])) ** 0.5
        at = (slice(None), k, None, None, None)
        y[..., k] = p["gamma"][at] * scaled + p["beta"][at]
    return y


def linear(entry, p, x):
    """Multiply by the kernel, one row of outputs each example."""
    return numpy.einsum("cni,cio->cno", x, p["kernel"]) + p["bias"][:, None]


def flatten(entry, p, x):
    """Put the pixels in a row, channels fastest."""
    return x.reshape(*x.shape[:2], -1)


def relu(entry, p, x):
    """Keep what is positive."""
    return numpy.where(choice(entry, x.real > 0), x, 0)


def choice(entry, made):
    """Return the choice of a kinked layer that was kept, or the one just made."""
    kept = {} if entry["kept"] is None else entry["kept"]
    return numpy.broadcast_to(kept.setdefault(entry["name"], made), made.shape)


def softplus(entry, p, x):
    """Return log(1 + eˣ)."""
    return numpy.log(1 + numpy.exp(x))


def tanh(entry, p, x):
    """Return (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""
    up, down = numpy.exp(x), numpy.exp(-x)
    return (up - down) / (up + down)


def elu(entry, p, x):
    """Return x, or α (eˣ − 1) where x is negative."""
    return numpy.where(x.real > 0, x, entry["alpha"] * (numpy.exp(x) - 1))


def pooled(entry, x, choose: Callable[[Array], Array]):
    """Make one pixel of each window, of its pixels (C, N, kh·kw, K)."""
    kh, kw = entry["window"]
    rows, columns = x.shape[2] // kh, x.shape[3] // kw
    y = numpy.empty((*x.shape[:2], rows, columns, x.shape[-1]), x.dtype)
    for i in range(rows):
        for j in range(columns):
            block = x[:, :, i * kh : (i + 1) * kh, j * kw : (j + 1) * kw]
            y[:, :, i, j] = choose(block.reshape(*x.shape[:2], kh * kw, x.shape[-1]))
    return y


def max_pool(entry, p, x):
    """Take the largest pixel, the first of equals."""
    windows = []

    def largest(block):
        windows.append(None)
        at = entry | {"name": f"{entry['name']}, window {len(windows)}"}
        first = choice(at, block.real.argmax(2))[:, :, None]
        return numpy.take_along_axis(block, first, 2)[:, :, 0]

    return pooled(entry, x, largest)


def average_pool(entry, p, x):
    """Take the mean of the pixels."""
    return pooled(entry, x, lambda block: block.sum(2) / block.shape[2])


def global_average(entry, p, x):
    """Take the mean over all pixels."""
    return x.sum((2, 3)) / (x.shape[2] * x.shape[3])


LAYERS: dict[str, Callable] = {
    "Conv2d": conv2d,
    "ZeroPad2d": zero_pad,
    "BatchNorm2d": batch_norm,
    "Linear": linear,
    "Flatten": flatten,
    "ReLU": relu,
    "Softplus": softplus,
    "Tanh": tanh,
    "ELU": elu,
    "MaxPool2d": max_pool,
    "AveragePool2d": average_pool,
    "GlobalAveragePool2d": global_average,
}
