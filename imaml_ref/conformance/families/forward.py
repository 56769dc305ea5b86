"""L and its derivatives of a network or a loss that is not the case's, forward only.

First derivatives come from complex steps: for each parameter a copy of the pass in
which it is moved by i h.  A copy begins at the layer of its parameter; the loss has its
own derivative, dL/dφ = Jᵀ dL/dz, and J is kept where the network is right.

    H v ≈ (4 D(h/2) − D(h)) / 3,   D(h) = (∇L(φ + h v) − ∇L(φ − h v)) / 2h
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..case import Array, Case
from ..naive_layers import LAYERS

TINY, STEP = 1e-40, 2.0**-12
UNFIT = (ValueError, KeyError, IndexError)  # what layers that do not fit raise


@dataclass(frozen=True)
class Variant:
    """What is not the case's.

    Args:
        layers: (entry, parameters, x) → y by type of layer, x (B, N, ...) and
            parameters (B, *shape) complex; ``entry["support"]`` is the support's N.
        arrange: Layers → layers, in another order.
        inputs: x (T, N, ...) → x.
        query: Whether the query examples go through the layers after the support.
        loss: (z (..., N, D), y (T, N, ...)) → (..., N), of each example.
        weights: (y, D) → (T, N), of each example in the sum; by default 1/N.
        after: L → another L, entry by entry.
        penalty: (case, φ (T, P)) → (T, P), entry by entry; its sum is added.
        back: dL/dz (T, N, D) → what goes backward from there.
        backward: Whether derivatives alone are not right: L is, and J v.
    """

    layers: Mapping[str, Callable] = field(default_factory=dict)
    arrange: Callable[[Sequence[Any]], Sequence[Any]] | None = None
    inputs: Callable[[Array], Array] | None = None
    query: bool = False
    loss: Callable | None = None
    weights: Callable | None = None
    after: Callable | None = None
    penalty: Callable | None = None
    back: Callable | None = None
    backward: bool = False


def answer(lab: Any, verdict: Any, variant: Variant) -> Array | None:
    """Return what a variant answers to L1 or L2; None where it has no meaning."""
    case = lab.case(verdict)
    at = At(lab, case, variant)
    try:
        if verdict.answer == "hvp":
            at.grad(case.phi)  # what is on, or the largest, stays so
            return derivative(lambda t: at.grad(case.phi + t * case.v))
        if verdict.answer == "gnvp":
            return at.gnvp(case.phi, case.v)
        return at.loss(case.phi) if verdict.answer == "loss" else at.grad(case.phi)
    except UNFIT:
        return None


def derivative(f: Callable[[float], Array]) -> Array:
    """Return f′(0), by Richardson's extrapolation of differences."""

    def difference(h: float) -> Array:
        return (f(h) - f(-h)) / (2 * h)

    return (4 * difference(STEP / 2) - difference(STEP)) / 3


class At:
    """φ (T, P) ↦ L (T,) and ∇L (T, P) of a variant of a case.

    Args:
        lab: Where what the right network gives is kept.
        case: The case.
        variant: What is not right.
    """

    def __init__(self, lab: Any, case: Case, variant: Variant):
        self.lab, self.case, self.variant = lab, case, variant
        self.y = case.inputs["support_y"]
        self.kept: dict[str, Array] = {}

    def mean(self, value: Array) -> Array:
        """Return the weighted sum (T,) of what examples give, (T, N), after all."""
        L = (self.weights(value) * value).sum(1) + 1j * TINY
        return self.variant.after(L) if self.variant.after else L

    def loss(self, phi: Array) -> Array:
        """Return L (T,)."""
        z, _ = self.outputs(phi, False)
        return self.mean(self.value(z)).real + self.penalty(phi).real.sum(1)

    def grad(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        z, J = self.outputs(phi)
        slope = self.weights(z)[..., None] * self.slope(z)
        slope = self.variant.back(slope) if self.variant.back else slope
        found = numpy.einsum("ptnd,tnd->tp", J, slope)
        if self.variant.after:
            found *= self.mean(self.value(z)).imag[:, None] / TINY
        return found + self.penalty(phi).imag / TINY

    def gnvp(self, phi: Array, v: Array) -> Array:
        """Return the Gauss-Newton product (T, P), of what is right after the loss."""
        z, J = self.outputs(phi)
        right = At(self.lab, self.case, Variant()) if self.variant.backward else self
        z_dot = numpy.einsum("ptnd,tp->tnd", right.outputs(phi)[1], v)
        bent = derivative(lambda t: self.slope(z + t * z_dot))
        return numpy.einsum("ptnd,tnd->tp", J, self.weights(z)[..., None] * bent)

    def outputs(self, phi: Array, slopes: bool = True) -> tuple[Array, Array]:
        """Return z (T, N, D) and J (P, T, N, D); without slopes J is empty."""
        one = self.variant
        if one.layers or one.arrange or one.inputs:
            return outputs(self.case, phi, one, slopes, self.kept)
        key = ("outputs", self.case.name, phi.tobytes())
        kept = self.lab.once(("kept", self.case.name), dict)
        return self.lab.once(
            key, lambda: outputs(self.case, phi, Variant(), True, kept)
        )

    def value(self, z: Array) -> Array:
        """Return the loss of each example, (..., N)."""
        return (self.variant.loss or RIGHT[self.case.loss])(z, self.y)

    def slope(self, z: Array) -> Array:
        """Return the slopes in z of the loss of each example, (T, N, D)."""
        steps = 1j * TINY * numpy.eye(z.shape[-1])[:, None, None]
        return numpy.moveaxis(self.value(z + steps).imag, 0, -1) / TINY

    def weights(self, z: Array) -> Array:
        """Return the weight of each example, (T, N)."""
        if self.variant.weights:
            return self.variant.weights(self.y, self.case.net.num_outputs)
        return numpy.full(z.shape[:2], 1 / z.shape[1])

    def penalty(self, phi: Array) -> Array:
        """Return what is added, (T, P), moved by i h."""
        add = self.variant.penalty
        return (
            add(self.case, phi + 1j * TINY) if add else numpy.zeros(phi.shape, complex)
        )


def outputs(
    case: Case, phi: Array, variant: Variant, slopes: bool = True, kept=None
) -> tuple[Array, Array]:
    """Return the outputs z (T, N, D) of the support and J (P, T, N, D).

    Raises:
        ValueError: If layers do not fit together.
    """
    x, p, order = case.inputs["support_x"], case.unpack(phi), []
    count, layers = x.shape[1], (case.network or {})["layers"]
    if variant.query:
        x = numpy.concatenate([x, case.inputs["query_x"]], 1)
    y = (variant.inputs(x) if variant.inputs else x)[None].astype(complex)
    for entry in variant.arrange(layers) if variant.arrange else layers:
        tensors = [t for t in case.tensors if t.name.split(".")[0] == entry["name"]]
        start = len(y)
        if slopes:
            size = sum(p[t.name][0].size for t in tensors)
            y = numpy.concatenate([y, numpy.repeat(y[:1].real, size, 0)])
        own = {}
        for t in tensors:
            flat = p[t.name].reshape(len(phi), -1)
            moved = numpy.repeat(flat[None].astype(complex), len(y), 0)
            if slopes:
                places = numpy.arange(flat.shape[1])
                moved[start + places, :, places] += 1j * TINY
                order.append(t.start + places)
                start += len(places)
            own[t.name.split(".")[1]] = moved.reshape(-1, *t.shape)
        at = dict(entry) | {"kept": kept, "support": count}
        layer = (TABLE | dict(variant.layers))[entry["type"]]
        made = layer(at, own, y.reshape(-1, *y.shape[2:]))
        y = made.reshape(*y.shape[:2], *made.shape[1:])
    J = numpy.empty((len(y) - 1, *y.shape[1:]))
    if slopes:
        J[numpy.concatenate(order)] = y[1:].imag / TINY
    return y[0, :, :count].real, J[:, :, :count]


def log_softmax(z: Array) -> Array:
    """Return log softmax of z (..., D)."""
    z = z - z.real.max(-1, keepdims=True)
    return z - numpy.log(numpy.exp(z).sum(-1, keepdims=True))


def chosen(a: Array, y: Array) -> Array:
    """Return the entries (..., N) of a (..., N, D) at classes y (T, N)."""
    index = numpy.broadcast_to(y[..., None], (*a.shape[:-1], 1))
    return numpy.take_along_axis(a, index, -1)[..., 0]


RIGHT: dict[str, Callable] = {
    "cross-entropy": lambda z, y: -chosen(log_softmax(z), y),
    "squared-error": lambda z, y: ((z - y) ** 2).sum(-1) / 2,
}


# The layers of ``naive_layers`` that have loops, without.


def linear(entry, p, x):
    """Multiply by the kernel."""
    return x @ p["kernel"] + p["bias"][:, None]


def conv2d(entry, p, x, mode="constant", pads=None, offset=0):
    """Correlate, what surrounds the images as ``numpy.pad`` has it."""
    (kh, kw), (down, across) = entry["kernel_size"], entry["stride"]
    pads = pads or [(n, n) for n in entry["padding"]]
    x = numpy.pad(x, ((0, 0), (0, 0), *pads, (0, 0)), mode)
    x = numpy.lib.stride_tricks.sliding_window_view(x, (kh, kw), (2, 3))
    x = numpy.moveaxis(x[:, :, offset::down, offset::across], 4, 6)
    kernel = p["kernel"].reshape(len(x), 1, -1, p["kernel"].shape[-1])
    y = x.reshape(*x.shape[:2], x.shape[2] * x.shape[3], -1) @ kernel
    y = y.reshape(*x.shape[:4], -1)
    return y + p["bias"][:, None, None, None] if entry["use_bias"] else y


def batch_norm(entry, p, x):
    """Normalise over examples and pixels, channel by channel."""
    mean = x.mean((1, 2, 3), keepdims=True)
    variance = ((x - mean) ** 2).mean((1, 2, 3), keepdims=True)
    return scaled(p, (x - mean) * (variance + entry["eps"]) ** -0.5)


def scaled(p, x):
    """Return γ x + β."""
    gamma, beta = (p[k][:, None, None, None] for k in ("gamma", "beta"))
    return gamma * x + beta


TABLE: dict[str, Callable] = LAYERS | {
    "Linear": linear,
    "Conv2d": conv2d,
    "BatchNorm2d": batch_norm,
    "Tanh": lambda entry, p, x: numpy.tanh(x),
}
