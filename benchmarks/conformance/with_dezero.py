"""DeZero: ∇L at L1 and H v at L2, by backpropagation through its backpropagation."""

import dezero
import dezero.functions as F
import numpy
from dezero import Variable

from .subjects import Variant

PACKAGES = ("numpy",)


def outputs(case, params, x, layers):
    """Return z for parameters by name and inputs in our layout.

    Raises:
        NotImplementedError: If DeZero has no such layer.
    """
    y = Variable(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
    for entry in case.network["layers"]:
        if entry["type"] not in layers:
            raise NotImplementedError(f"no {entry['type']}")
        name = entry["name"] + "."
        own = {k.removeprefix(name): a for k, a in params.items() if name in k}
        y = layers[entry["type"]](entry, own, y)
    return y


def convolution(conv2d):
    """Return a layer that convolves; (kh, kw, in, out) → (out, in, kh, kw)."""

    def layer(entry, p, x):
        kernel = F.transpose(p["kernel"], (3, 2, 0, 1))
        options = {"stride": tuple(entry["stride"]), "pad": tuple(entry["padding"])}
        return conv2d(x, kernel, p.get("bias"), **options)

    return layer


def batch_norm(entry, p, x):
    """Normalise by the batch."""
    channels = x.shape[1]
    seen = numpy.zeros(channels), numpy.ones(channels)
    return F.batch_nrom(x, p["gamma"], p["beta"], *seen, eps=entry["eps"])


def flatten(entry, p, x):
    """Put the pixels in a row, channels fastest."""
    moved = F.transpose(x, (0, 2, 3, 1))
    return F.reshape(moved, (len(moved), -1))


LAYERS = {
    "Linear": lambda entry, p, x: F.linear(x, p["kernel"], p["bias"]),
    "Tanh": lambda entry, p, x: F.tanh(x),
    "ReLU": lambda entry, p, x: F.relu(x),
    "Conv2d": convolution(F.conv2d),
    "BatchNorm2d": batch_norm,
    "Flatten": flatten,
    "MaxPool2d": lambda entry, p, x: F.pooling(x, *[tuple(entry["window"])] * 2),
    "AveragePool2d": lambda entry, p, x: F.average_pooling(
        x, *[tuple(entry["window"])] * 2
    ),
}


class Tape:
    """L of a task on DeZero's tape, and what follows from it."""

    def __init__(self, case, t, layers):
        self.case = case
        named = case.unpack(case.phi[t])
        self.params = {name: Variable(a.copy()) for name, a in named.items()}
        x, y = case.inputs["support_x"][t], case.inputs["support_y"][t]
        z = outputs(case, self.params, x, layers)
        if case.loss == "squared-error":
            self.value = F.mean_squared_error(z, Variable(y)) * 0.5
        else:
            self.value = F.softmax_cross_entropy(z, y)

    def slope(self):
        """Return ∇L by name, on the tape."""
        for a in self.params.values():
            a.cleargrad()
        self.value.backward(create_graph=True)
        return {name: a.grad for name, a in self.params.items()}

    def product(self, v):
        """Return H v by name."""
        slope, total = self.slope(), Variable(numpy.zeros(()))
        for name, part in self.case.unpack(v).items():
            total = total + F.sum(slope[name] * Variable(part))
        for a in self.params.values():
            a.cleargrad()
        total.backward()
        return {name: a.grad for name, a in self.params.items()}


class DeZero:
    """What DeZero computes at L1 and L2."""

    def __init__(self, name, layers):
        self.name, self.layers = name, layers

    def loss(self, case):
        return self.each(case, lambda tape, t: tape.value.data)

    def grad(self, case):
        return self.each(case, lambda tape, t: packed(case, tape.slope()))

    def hvp(self, case):
        return self.each(case, lambda tape, t: packed(case, tape.product(case.v[t])))

    def each(self, case, f):
        return numpy.stack(
            [f(Tape(case, t, self.layers), t) for t in range(case.num_tasks)]
        )


def packed(case, found):
    """Return Variables by name as a flat array."""
    return case.pack({name: numpy.asarray(a.data) for name, a in found.items()})


SIMPLE = LAYERS | {
    "Conv2d": convolution(F.conv2d_simple),
    "MaxPool2d": lambda entry, p, x: F.pooling_simple(x, *[tuple(entry["window"])] * 2),
    "AveragePool2d": lambda entry, p, x: mean_of_windows(entry, x),
}


def mean_of_windows(entry, x):
    """Average-pool by reshaping, for windows that tile the image."""
    (kh, kw), (count, channels, rows, columns) = entry["window"], x.shape
    rows, columns = rows // kh, columns // kw
    x = x[:, :, : rows * kh, : columns * kw]
    blocks = F.reshape(x, (count, channels, rows, kh, columns, kw))
    return F.sum(blocks, axis=(3, 5)) * (1.0 / (kh * kw))


def spelled_out(entry, p, x):
    """Normalise by the batch in elementary operations: a control."""
    count = x.size // x.shape[1]

    def mean(a):
        return F.sum(a, axis=(0, 2, 3), keepdims=True) * (1.0 / count)

    def over_pixels(a):
        return F.reshape(a, (1, -1, 1, 1))

    centred = x - F.broadcast_to(mean(x), x.shape)
    variance = mean(centred * centred) + entry["eps"]
    scaled = centred * F.broadcast_to(variance**-0.5, x.shape)
    gamma = F.broadcast_to(over_pixels(p["gamma"]), x.shape)
    return scaled * gamma + F.broadcast_to(over_pixels(p["beta"]), x.shape)


VARIANTS = {
    "tight": Variant(
        f"dezero {dezero.__version__}: conv2d, batch_nrom, …; "
        "backward(create_graph=True), then backward",
        lambda: DeZero("DeZero", LAYERS),
    ),
    "simple": Variant(
        f"dezero {dezero.__version__}: the same with conv2d_simple, pooling_simple "
        "and an average over reshaped windows",
        lambda: DeZero("DeZero, conv2d_simple", SIMPLE),
    ),
    "simple-control": Variant(
        "as simple, batch normalisation in elementary operations",
        lambda: DeZero(
            "DeZero, conv2d_simple, control", SIMPLE | {"BatchNorm2d": spelled_out}
        ),
    ),
}
