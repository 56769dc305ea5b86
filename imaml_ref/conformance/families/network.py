"""Families of the network and the loss: another activation, target, weight or layer.

Each is a row: name, what is said, what it is in place of, and what it computes.
"""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy
from scipy.special import erf

from .evidence import has
from .family import Family, Question, Real, register
from .forward import TABLE, Variant, answer, conv2d, scaled

WHERE: tuple[Question, ...] = (
    ("L1", "loss"), ("L1", "grad"), ("L2", "hvp"), ("L2", "gnvp"),
)  # fmt: skip
EXP, LOG, TANH, CE, SE = (
    numpy.exp,
    numpy.log,
    numpy.tanh,
    "cross-entropy",
    "squared-error",
)


class Few(Real):
    """A number of a network: its grid is coarse, as each point takes a pass."""

    def grid(self, count):
        """Return values to begin from."""
        return super().grid(min(count, 7))


SOME, SHARE = Few(1e-3, 30.0), Real(1e-4, 0.9, "0")
TIMES, ADDED = Few(1e-2, 1e2, "1"), Real(1e-6, 1e2, "0")


def add(name: str, say: str, of: str, make: Callable, steps="", free=False, **numbers):
    """Register a family.

    Args:
        name: See ``Family``.
        say: See ``Family``.
        of: The loss or type of layer without which it has no meaning; empty for none.
        make: (*values) → Variant; with steps, (case, *values) → a list of them.
        steps: See ``Family``.
        free: Whether a factor stands in front.
        **numbers: See ``Family``.
    """

    def at(lab: Any, verdict: Any, *values: float) -> Any:
        case = lab.case(verdict)
        if of and not (case.loss == of or has(case, of)):
            return None
        if not steps:
            return answer(lab, verdict, make(*values))
        return [answer(lab, verdict, one) for one in make(case, *values)]

    register(Family(name, say, "network", WHERE, numbers, at, steps, not free))


# Activations: x → y of complex x, or (c, x) → y.


def of_sign(x, positive, negative):
    """Return one where x is positive, else the other."""
    return numpy.where(x.real > 0, x * 0 + positive, negative)


def clamped(x, low, high):
    """Return x, clamped to [low, high]."""
    inside = numpy.where(x.real > low, x, low)
    return numpy.where(inside.real < high, inside, high)


ACTIVATIONS: dict[str, tuple[str, Callable]] = {
    "identity": ("Nothing", lambda x: x),
    "relu": ("ReLU", lambda x: of_sign(x, x, 0)),
    "elu": ("ELU with α = {c}", lambda x, c: of_sign(x, x, c * (EXP(x) - 1))),
    "celu": ("CELU with α = {c}", lambda x, c: of_sign(x, x, c * (EXP(x / c) - 1))),
    "leaky-relu": ("Leaky ReLU of slope {c}", lambda x, c: of_sign(x, x, c * x)),
    "selu": (
        "SELU",
        lambda x: 1.0507009873554805 * of_sign(x, x, 1.6732632423543772 * (EXP(x) - 1)),
    ),
    "softplus": ("Softplus with β = {c}", lambda x, c: LOG(1 + EXP(c * x)) / c),
    "softplus-threshold": (
        "Softplus, x itself above {c},",
        lambda x, c: numpy.where(x.real > c, x, LOG(1 + EXP(x))),
    ),
    "tanh": ("tanh({c} x)", lambda x, c: TANH(c * x)),
    "scaled-tanh": ("{a} tanh({c} x)", lambda x, a, c: a * TANH(c * x)),
    "sigmoid": ("The sigmoid of {c} x", lambda x, c: 1 / (1 + EXP(-c * x))),
    "swish": ("x sigmoid({c} x)", lambda x, c: x / (1 + EXP(-c * x))),
    "gelu": ("GELU", lambda x: x * (1 + erf(x / 2**0.5)) / 2),
    "gelu-tanh": (
        "GELU, approximated by tanh,",
        lambda x: x * (1 + TANH((2 / numpy.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2,
    ),
    "mish": ("Mish", lambda x: x * TANH(LOG(1 + EXP(x)))),
    "clamp": ("Clamping to ± {c}", lambda x, c: clamped(x, -c, c)),
    "capped-relu": ("ReLU, at most {c},", lambda x, c: clamped(x, 0, c)),
    "softsign": ("x / (1 + |x|)", lambda x: x / (1 + of_sign(x, x, -x))),
    "arctan": ("The arcus tangens", numpy.arctan),
    "sine": ("The sine", numpy.sin),
    "hard-sigmoid": ("The hard sigmoid", lambda x: clamped(x / 6 + 0.5, 0, 1)),
    "hard-swish": ("Hard swish", lambda x: x * clamped(x / 6 + 0.5, 0, 1)),
}


def layers(**table: Callable) -> Variant:
    """Return the variant that other layers are, by type."""
    return Variant(layers=table)


for kind in ("Tanh", "ReLU", "ELU", "Softplus"):
    right = TABLE[kind]
    for word, (say, f) in ACTIVATIONS.items():
        names = [n for n in ("a", "c") if f"{{{n}}}" in say]
        add(
            f"{kind.lower()}-is-{word}",
            f"{say} stands in place of {kind}.",
            kind,
            lambda *c, f=f, kind=kind: layers(**{kind: lambda e, p, x: f(x, *c)}),
            **dict.fromkeys(names, SOME),
        )
    add(
        f"{kind.lower()}-times", f"The output of {kind} counts {{c}} times.", kind,
        lambda c, f=right, kind=kind: layers(**{kind: lambda e, p, x: c * f(e, p, x)}),
        c=TIMES,
    )  # fmt: skip

# Batch normalisation.


def norm(axes=(1, 2, 3), eps=None, outside=0.0, of="", move=None, constant=False):
    """Return a layer that normalises.

    Args:
        axes: Over which there are means.
        eps: ε; by default the layer's.
        outside: What is added to the standard deviation, in place of ε.
        of: Which examples are averaged: "query"; by default what comes in.
        move: (mean, variance, how many are averaged) → mean and variance that are used.
        constant: Whether the mean and the variance are not differentiated.
    """

    def layer(entry, p, x):
        a = x[:, entry["support"] :] if of else x
        mean = a.mean(axes, keepdims=True)
        variance = ((a - mean) ** 2).mean(axes, keepdims=True)
        if move:
            mean, variance = move(mean, variance, a[0].size / mean[0].size)
        if constant:
            mean, variance = mean.real, variance.real
        if outside:
            return scaled(p, (x - mean) / (variance**0.5 + outside))
        e = entry["eps"] if eps is None else eps
        return scaled(p, (x - mean) * (variance + e) ** -0.5)

    return layer


def batch(query=False, **numbers) -> Variant:
    """Return the variant with another normalisation."""
    return Variant({"BatchNorm2d": norm(**numbers)}, query=query)


def running(m, unbiased):
    """Return how statistics move from mean 0 and variance 1, by a momentum."""

    def move(mean, variance, n):
        return m * mean, 1 - m + m * variance * (n / (n - 1) if unbiased else 1)

    return move


BN = "BatchNorm2d"
EPS, MOMENTUM = Few(1e-9, 1.0), Few(0.01, 1.0, "1")
OF = "Batch normalisation has"
add("bn-eps", f"{OF} ε = {{eps}}.", BN, lambda eps: batch(eps=eps), eps=EPS)
add("bn-eps-outside", "Batch normalisation divides by σ + {eps}.", BN,
    lambda eps: batch(outside=eps), eps=EPS)  # fmt: skip
add("bn-unbiased", f"{OF} the unbiased variance.", BN,
    lambda: batch(move=lambda m, s, n: (m, s * n / (n - 1))))  # fmt: skip
add("bn-identity", "Batch normalisation only multiplies by γ and adds β: it is in "
    "evaluation mode, with mean 0 and variance 1.", BN,
    lambda: batch(move=lambda m, s, n: (0 * m, 0 * s + 1)))  # fmt: skip
add("bn-left-out", "Batch normalisation is left out, γ and β too.", BN,
    lambda: layers(BatchNorm2d=lambda e, p, x: x))  # fmt: skip
add("instance-norm", f"{OF} statistics of each image.", BN, lambda: batch((2, 3)))
add("layer-norm", f"{OF} statistics of each image, channels together.", BN,
    lambda: batch((2, 3, 4)))  # fmt: skip
add("bn-pixelwise", f"{OF} statistics of each pixel.", BN, lambda: batch((1,)))
for held, also in ((True, ", constants when differentiating"), (False, "")):
    for unbiased in (True, False):
        add(f"bn-running{'-unbiased' * unbiased}{'-constant' * held}",
            f"{OF} running statistics after one update of momentum {{m}} from mean 0 "
            f"and variance 1{', unbiased' * unbiased}{also}.", BN,
            lambda m, u=unbiased, h=held: batch(move=running(m, u), constant=h),
            m=MOMENTUM)  # fmt: skip
    add(f"bn-of-query{'-constant' * held}", f"{OF} the query set's statistics{also}.",
        BN, lambda h=held: batch(True, of="query", constant=h))  # fmt: skip
add("bn-of-both", f"{OF} statistics of support and query set together.", BN,
    lambda: batch(True))  # fmt: skip

# Convolutions, pooling, flattening, biases, order.


def convolved(**numbers) -> Variant:
    """Return the variant with another convolution."""
    return layers(Conv2d=lambda e, p, x: conv2d(e, p, x, **numbers))


def with_kernel(change: Callable) -> Variant:
    """Return the variant with kernels (B, kh, kw, in, out) that are changed."""

    def layer(entry, p, x):
        return conv2d(entry, p | {"kernel": change(p["kernel"])}, x)

    return layers(Conv2d=layer)


def beside(before: int, after: int) -> Variant:
    """Return the variant whose convolutions pad on one side."""

    def layer(entry, p, x):
        pads = [(before * n, after * n) for n in entry["padding"]]
        return conv2d(entry, p, x, pads=pads)

    return layers(Conv2d=layer)


def same(entry, p, x):
    """Correlate, padded as SAME is: the output has ⌈size / stride⌉ pixels."""
    pads = []
    for size, k, s in zip(
        x.shape[2:4], entry["kernel_size"], entry["stride"], strict=True
    ):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads.append((total // 2, total - total // 2))
    return conv2d(entry, p, x, pads=pads)


def pooled(reduce: Callable, late: bool = False) -> Callable:
    """Return the pooling layer of a function over windows (..., kh, kw).

    Args:
        reduce: Reduces the last two axes.
        late: Whether what is left over is left out at the top and left.
    """

    def layer(entry, p, x):
        kh, kw = entry.get("window", x.shape[2:4])
        rows, columns = x.shape[2] // kh, x.shape[3] // kw
        top, left = (x.shape[2] % kh * late, x.shape[3] % kw * late)
        x = x[:, :, top : top + rows * kh, left : left + columns * kw]
        x = x.reshape(*x.shape[:2], rows, kh, columns, kw, -1)
        y = reduce(numpy.moveaxis(x, (3, 5), (-2, -1)))
        return y if "window" in entry else y[:, :, 0, 0]

    return layer


def largest(x):
    """Return the largest of each window."""
    x = x.reshape(*x.shape[:-2], -1)
    return numpy.take_along_axis(x, x.real.argmax(-1)[..., None], -1)[..., 0]


def average(x):
    """Return the mean of each window."""
    return x.mean((-2, -1))


def total(x):
    """Return the sum of each window."""
    return x.sum((-2, -1))


def padded(pads, mode="constant") -> Variant:
    """Return the variant with another zero padding: top, bottom, left, right."""

    def layer(entry, p, x):
        up, down, left, right = (entry[k] if k else 0 for k in pads)
        return numpy.pad(x, ((0, 0), (0, 0), (up, down), (left, right), (0, 0)), mode)

    return layers(ZeroPad2d=layer)


def without(tensor: str, *kinds: str, value: float = 0.0) -> Variant:
    """Return the variant in which a parameter of some layers has no effect."""

    def of(kind):
        return lambda e, p, x: TABLE[kind](e, p | {tensor: 0 * p[tensor] + value}, x)

    return Variant({kind: of(kind) for kind in kinds})


def swapped(first: str, second: str) -> Callable:
    """Return what swaps layers of two kinds that follow one another."""

    def arrange(entries):
        found = list(entries)
        for i in range(len(found) - 1):
            if (found[i]["type"] in first) and found[i + 1]["type"] in second:
                found[i], found[i + 1] = found[i + 1], found[i]
        return found

    return arrange


# fmt: off
for mode, word in (("reflect", "reflections"), ("edge", "copies of the edge"),
                   ("wrap", "the opposite edge"), ("symmetric", "mirrored pixels")):
    add(f"conv-pad-{mode}", f"Convolutions pad with {word}, not zeros.", "Conv2d",
        lambda mode=mode: convolved(mode=mode))
    add(f"pad-{mode}", f"ZeroPad2d pads with {word}, not zeros.", "ZeroPad2d",
        lambda mode=mode: padded(("", "bottom", "", "right"), mode))
add("conv-pad-before", "Convolutions pad at the top and left alone.", "Conv2d",
    lambda: beside(2, 0))
add("conv-pad-after", "Convolutions pad at the bottom and right alone.", "Conv2d",
    lambda: beside(0, 2))
add("conv-same", "Convolutions pad as SAME does, the odd pixel after.", "Conv2d",
    lambda: layers(Conv2d=same))
add("conv-late", "Strided convolutions begin at the second pixel.", "Conv2d",
    lambda: convolved(offset=1))
add("kernel-upside-down", "Kernels of convolutions are upside down.", "Conv2d",
    lambda: with_kernel(lambda k: k[:, ::-1]))
add("kernel-mirrored", "Kernels of convolutions are mirrored left to right.", "Conv2d",
    lambda: with_kernel(lambda k: k[:, :, ::-1]))
add("kernel-transposed", "Kernels of convolutions have height and width swapped.",
    "Conv2d", lambda: with_kernel(lambda k: k.swapaxes(1, 2)))
add("pad-top-right", "ZeroPad2d pads at the top and right.", "ZeroPad2d",
    lambda: padded(("bottom", "", "", "right")))
add("pad-bottom-left", "ZeroPad2d pads at the bottom and left.", "ZeroPad2d",
    lambda: padded(("", "bottom", "right", "")))
for kind, word in (("MaxPool2d", "max-pooling"), ("AveragePool2d", "average pooling"),
                   ("GlobalAveragePool2d", "global average pooling")):
    for name, reduce in (("max", largest), ("average", average), ("sum", total)):
        if not kind.lower().replace("global", "").startswith(name):
            add(f"{kind.lower()[:-6]}-is-{name}", f"The {name} is taken in {word}.",
                kind, lambda r=reduce, k=kind: Variant({k: pooled(r)}))
for kind, reduce in (("MaxPool2d", largest), ("AveragePool2d", average)):
    add(f"{kind.lower()[:-6]}-late", f"{kind} leaves out the first row or column, "
        "not the last, where they are odd.", kind,
        lambda r=reduce, k=kind: Variant({k: pooled(r, True)}))
for order in permutations(range(3)):
    if order not in ((0, 1, 2), (2, 0, 1)):  # ours; the catalogue has the other
        word = ", ".join(("height", "width", "channel")[i] for i in order)
        add("flatten-" + "".join("hwc"[i] for i in order),
            f"Images are flattened in the order {word}.", "Flatten",
            lambda o=order: layers(Flatten=lambda e, p, x: x.transpose(
                0, 1, *(i + 2 for i in o)).reshape(*x.shape[:2], -1)))
for word, tensor, kinds, value in (
    ("The bias of linear layers", "bias", ("Linear",), 0.0),
    ("The bias of convolutions", "bias", ("Conv2d",), 0.0),
    ("γ of batch normalisation", "gamma", (BN,), 1.0),
    ("β of batch normalisation", "beta", (BN,), 0.0),
):
    add(f"no-{tensor}-of-{kinds[0].lower()}", f"{word} is left out.", kinds[0],
        lambda t=tensor, k=kinds, v=value: without(t, *k, value=v))
SMOOTH = ("Tanh", "ReLU", "ELU", "Softplus")
POOLS = ("MaxPool2d", "AveragePool2d", "GlobalAveragePool2d")
for name, say, of, first, second in (
    ("activation-first", "The activation comes before batch normalisation.", BN, BN,
     SMOOTH),
    ("pool-first", "Pooling comes before the activation.", "", SMOOTH, POOLS),
    ("activation-last", "The activation comes after pooling.", "", POOLS, SMOOTH),
):
    add(name, say, of, lambda a=first, b=second: Variant(arrange=swapped(a, b)))
for kind in SMOOTH:
    add(f"{kind.lower()}-of-outputs", f"{kind} is applied to the outputs too.", kind,
        lambda k=kind: Variant(arrange=lambda entries: [
            *entries, next(e for e in entries if e["type"] == k)]))
add("inputs-times", "The inputs count {c} times.", "",
    lambda c: Variant(inputs=lambda x: c * x), c=TIMES)
add("inputs-centred", "The mean of the support inputs is subtracted.", "",
    lambda: Variant(inputs=lambda x: x - x.mean(1, keepdims=True)))
add("inputs-standardised", "Inputs are standardised over the support set.", "",
    lambda: Variant(inputs=lambda x: (x - x.mean(1, keepdims=True))
                    / x.std(1, keepdims=True)))
# fmt: on
