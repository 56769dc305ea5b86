"""A second forward pass, by loops over pixels, in extended precision: a witness.

It shares no line with ``layers``: it reads the plain data of a network and follows the
textbook.  Parameters carry an axis of copies, (C, *shape), so that one pass evaluates
many points; complex numbers pass through.  From values alone come

    gradient    by complex steps, exact to rounding
    H v         by Richardson's extrapolation of differences of that gradient:
                D(h) = (∇L(φ + hv) − ∇L(φ − hv)) / 2h,   H v ≈ (4 D(h/2) − D(h)) / 3
    G v         Jᵀ H_z J v with J by complex steps of the outputs

in ``longdouble`` (64 bits of mantissa on x86: h = 2⁻¹³ leaves errors about 1e-15).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy

Array = numpy.ndarray
REAL, COMPLEX = numpy.longdouble, numpy.clongdouble
TINY, STEP = REAL(2) ** -300, REAL(2) ** -13


def outputs(network: Mapping[str, Any], p: Mapping[str, Array], x: Array) -> Array:
    """Return z (C, N, D) for parameters (C, *shape) by name and inputs (N, ...)."""
    count = len(next(iter(p.values())))
    y = numpy.repeat(x[None].astype(REAL), count, 0)
    for entry in network["layers"]:
        own = {
            k.split(".")[1]: a
            for k, a in p.items()
            if k.startswith(entry["name"] + ".")
        }
        y = LAYERS[entry["type"]](entry, own, y)
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
    return numpy.where(x.real > 0, x, 0)


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


def windows(entry, x):
    """Yield each window of a pooling: row, column, its pixels (C, N, kh·kw, K)."""
    kh, kw = entry["window"]
    for i in range(x.shape[2] // kh):
        for j in range(x.shape[3] // kw):
            block = x[:, :, i * kh : (i + 1) * kh, j * kw : (j + 1) * kw]
            yield i, j, block.reshape(*x.shape[:2], kh * kw, x.shape[-1])


def pooled(entry, x, choose: Callable[[Array], Array]):
    """Make one pixel of each window."""
    kh, kw = entry["window"]
    shape = (*x.shape[:2], x.shape[2] // kh, x.shape[3] // kw, x.shape[-1])
    y = numpy.empty(shape, x.dtype)
    for i, j, block in windows(entry, x):
        y[:, :, i, j] = choose(block)
    return y


def max_pool(entry, p, x):
    """Take the largest pixel, the first of equals."""

    def largest(block):
        first = block.real.argmax(2)[:, :, None]
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


def cross_entropy(z, y):
    """Return the mean of log Σ exp z − z_y, (C,)."""
    of_class = numpy.take_along_axis(z, y[None, :, None], 2)[..., 0]
    return (numpy.log(numpy.exp(z).sum(-1)) - of_class).sum(1) / z.shape[1]


def squared_error(z, y):
    """Return the mean over examples of ½‖z − y‖², (C,)."""
    return ((z - y[None]) ** 2).sum((1, 2)) / (2 * z.shape[1])


VALUES = {"cross-entropy": cross_entropy, "squared-error": squared_error}


class Naive:
    """L of one task of a case, from values alone.

    Args:
        case: The case.
        task: Which of its tasks.
    """

    def __init__(self, case, task: int):
        self.case = case
        self.x, self.y = (case.inputs[f"support_{k}"][task] for k in ("x", "y"))

    def z(self, phi: Array) -> Array:
        """Return the outputs (C, N, D) at points φ (C, P)."""
        p = self.case.unpack(phi)
        return outputs(self.case.network, p, self.x)

    def value(self, phi: Array) -> Array:
        """Return L (C,) at points φ (C, P)."""
        return VALUES[self.case.loss](self.z(phi), self.y)

    def grad(self, phi: Array) -> Array:
        """Return ∇L (P,) at a φ (P,)."""
        return self.value(around(phi)).imag / TINY

    def hvp(self, phi: Array, v: Array) -> Array:
        """Return H v (P,)."""

        def difference(h):
            return (self.grad(phi + h * v) - self.grad(phi - h * v)) / (2 * h)

        return (4 * difference(STEP / 2) - difference(STEP)) / 3

    def gnvp(self, phi: Array, v: Array) -> Array:
        """Return G v (P,)."""
        z = self.z(around(phi))
        J = z.imag.reshape(len(phi), -1) / TINY
        z_dot = (v.astype(REAL) @ J).reshape(z.shape[1:])
        return J @ self.bent(z[0].real, z_dot).ravel()

    def bent(self, z: Array, z_dot: Array) -> Array:
        """Return H_z ż of the loss, (N, D)."""
        if self.case.loss == "squared-error":
            return z_dot / len(z)
        p = numpy.exp(z) / numpy.exp(z).sum(-1, keepdims=True)
        return (p * z_dot - p * (p * z_dot).sum(-1, keepdims=True)) / len(z)


class ByLoops:
    """L1 and L2 by ``Naive``, task by task, rounded at the end."""

    def loss(self, case) -> Array:
        """Return L (T,)."""
        return self.each(case, lambda naive, phi, v: naive.value(phi[None])[0])

    def grad(self, case) -> Array:
        """Return ∇L (T, P)."""
        return self.each(case, lambda naive, phi, v: naive.grad(phi))

    def hvp(self, case) -> Array:
        """Return H v (T, P)."""
        return self.each(case, Naive.hvp)

    def gnvp(self, case) -> Array:
        """Return G v (T, P)."""
        return self.each(case, Naive.gnvp)

    def each(self, case, f: Callable[["Naive", Array, Array], Array]) -> Array:
        """Return f(L, φ, v) of every task."""
        tasks = range(case.num_tasks)
        found = [f(Naive(case, t), case.phi[t], case.v[t]) for t in tasks]
        return numpy.stack(found).astype(float)


def around(phi: Array) -> Array:
    """Return φ + i h e_j for every j, (P, P)."""
    return phi.astype(COMPLEX) + 1j * TINY * numpy.eye(len(phi), dtype=REAL)
