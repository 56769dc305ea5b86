"""Families of what is done to images, and of the order of layers."""

from collections.abc import Callable
from itertools import pairwise, permutations

import numpy

from .forward import TABLE, Variant, conv2d, linear
from .network import BN, HAS, SMOOTH, SOME, TIMES, Few, add, clamped


def convolved(change: Callable = lambda k: k, **numbers) -> Variant:
    """Return the variant with another convolution, or kernels (B, kh, kw, in, out)."""

    def layer(entry, p, x):
        return conv2d(entry, p | {"kernel": change(p["kernel"])}, x, **numbers)

    return Variant({"Conv2d": layer})


def around(pads: Callable) -> Variant:
    """Return the variant with pads(size, kernel size, stride, padding), of each axis.

    They are two numbers, of pixels before and after.
    """

    def layer(entry, p, x):
        fields = (entry[k] for k in ("kernel_size", "stride", "padding"))
        of_axes = [pads(*axis) for axis in zip(x.shape[2:4], *fields, strict=True)]
        return conv2d(entry, p, x, pads=of_axes)

    return Variant({"Conv2d": layer})


def same(size: int, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """Return the padding with which ⌈size / stride⌉ pixels come out."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pooled(kind: str, reduce: Callable) -> Variant:
    """Return the variant with another function over windows (..., pixels)."""

    def layer(entry, p, x):
        kh, kw = entry.get("window", x.shape[2:4])
        rows, columns = x.shape[2] // kh, x.shape[3] // kw
        x = x[:, :, : rows * kh, : columns * kw]
        x = x.reshape(*x.shape[:2], rows, kh, columns, kw, -1)
        x = numpy.moveaxis(x, (3, 5), (-2, -1))
        y = reduce(x.reshape(*x.shape[:-2], -1))
        return y if "window" in entry else y[:, :, 0, 0]

    return Variant({kind: layer})


def largest(x):
    """Return the largest of each window."""
    return numpy.take_along_axis(x, x.real.argmax(-1)[..., None], -1)[..., 0]


def zeros(up: str, down: str, left: str, right: str) -> Variant:
    """Return the variant with other fields of ZeroPad2d on the four sides."""

    def layer(entry, p, x):
        n = [entry.get(field, 0) for field in (up, down, left, right)]
        return numpy.pad(x, ((0, 0), (0, 0), tuple(n[:2]), tuple(n[2:]), (0, 0)))

    return Variant({"ZeroPad2d": layer})


def without(kind: str, tensor: str, value: float) -> Variant:
    """Return the variant in which a parameter of some layers has one value."""

    def layer(entry, p, x):
        return TABLE[kind](entry, p | {tensor: 0 * p[tensor] + value}, x)

    return Variant({kind: layer})


def swapped(first: tuple[str, ...], second: tuple[str, ...]) -> Variant:
    """Return the variant in which layers that follow one another are swapped."""

    def arrange(entries):
        found = list(entries)
        for i, (a, b) in enumerate(pairwise(entries)):
            if a["type"] in first and b["type"] in second:
                found[i], found[i + 1] = b, a
        return found

    return Variant(arrange=arrange)


# fmt: off
CONV, PAD = "Conv2d", "ZeroPad2d"
POOLS = ("MaxPool2d", "AveragePool2d", "GlobalAveragePool2d")
for mode, word in (("reflect", "reflections"), ("edge", "copies of the edge"),
                   ("wrap", "the opposite edge"), ("symmetric", "mirrored pixels")):
    add(f"conv-pad-{mode}", f"Convolutions pad with {word}, not zeros.", CONV,
        lambda mode=mode: convolved(mode=mode))
for name, say, of, row in (
    ("conv-pad-before", "Convolutions pad at the top and left alone.", CONV,
     lambda: around(lambda size, k, s, n: (2 * n, 0))),
    ("conv-pad-after", "Convolutions pad at the bottom and right alone.", CONV,
     lambda: around(lambda size, k, s, n: (0, 2 * n))),
    ("conv-same", "Convolutions pad as SAME does, the odd pixel after.", CONV,
     lambda: around(same)),
    ("conv-late", "Strided convolutions begin at the second pixel.", CONV,
     lambda: convolved(offset=1)),
    ("kernel-upside-down", "Kernels of convolutions are upside down.", CONV,
     lambda: convolved(lambda k: k[:, ::-1])),
    ("kernel-mirrored", "Kernels of convolutions are mirrored left to right.", CONV,
     lambda: convolved(lambda k: k[:, :, ::-1])),
    ("kernel-transposed", "Kernels of convolutions have height and width swapped.",
     CONV, lambda: convolved(lambda k: k.swapaxes(1, 2))),
    ("pad-top-right", "ZeroPad2d pads at the top and right.", PAD,
     lambda: zeros("bottom", "", "", "right")),
    ("pad-bottom-left", "ZeroPad2d pads at the bottom and left.", PAD,
     lambda: zeros("", "bottom", "right", "")),
    ("no-bias-of-linear", "Linear layers have no bias.", "Linear",
     lambda: without("Linear", "bias", 0)),
    ("no-bias-of-conv", "Convolutions have no bias.", CONV,
     lambda: without(CONV, "bias", 0)),
    ("no-gamma", f"{HAS} no γ.", BN, lambda: without(BN, "gamma", 1)),
    ("no-beta", f"{HAS} no β.", BN, lambda: without(BN, "beta", 0)),
    ("activation-first", "The activation comes before batch normalisation.", BN,
     lambda: swapped((BN,), SMOOTH)),
    ("pool-first", "Pooling comes before the activation.", "",
     lambda: swapped(SMOOTH, POOLS)),
    ("inputs-centred", "The mean of the support inputs is subtracted.", "",
     lambda: Variant(inputs=lambda x: x - x.mean(1, keepdims=True))),
    ("inputs-standardised", "Inputs are standardised over the support set.", "",
     lambda: Variant(inputs=lambda x: (x - x.mean(1, keepdims=True))
                     / x.std(1, keepdims=True))),
):
    add(name, say, of, row)
add("inputs-moved", "The inputs are standardised, (x − {a})/{c}.", "",
    lambda a, c: Variant(inputs=lambda x: (x - a) / c),
    a=Few(0.05, 5.0, signed=True), c=Few(0.05, 5.0))
add("linear-clamped", "The outputs of linear layers are clamped to ± {c}.", "Linear",
    lambda c: Variant({"Linear": lambda e, p, x: clamped(linear(e, p, x), -c, c)}),
    c=SOME)
add("inputs-times", "The inputs count {c} times.", "",
    lambda c: Variant(inputs=lambda x: c * x), c=TIMES)
for kind in POOLS:
    for word, reduce in (("maximum", largest), ("average", lambda x: x.mean(-1)),
                         ("sum", lambda x: x.sum(-1))):
        if word[:3] not in kind.lower().replace("average", "ave"):
            add(f"{kind.lower()[:-2]}-is-{word}", f"{kind} takes the {word}.", kind,
                lambda k=kind, r=reduce: pooled(k, r))
for order in permutations(range(3)):
    if order not in ((0, 1, 2), (2, 0, 1)):  # ours; the catalogue has the other
        axes = (0, 1, *(i + 2 for i in order))
        words = ", ".join(("height", "width", "channel")[i] for i in order)
        add(f"flatten-{words.replace(', ', '-')}",
            f"Images are flattened in the order {words}.", "Flatten",
            lambda axes=axes: Variant({"Flatten": lambda e, p, x:
                x.transpose(axes).reshape(*x.shape[:2], -1)}))
# fmt: on
