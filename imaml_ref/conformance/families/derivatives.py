"""Families of derivatives alone: L is right, and ∇L, H v or G v is not."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy

from ..case import Array, Case
from ..judge import Verdict
from ..naive_layers import choice
from .family import META, Family, Question, Real, of_side, register
from .forward import TABLE, TINY, At, Variant, log_softmax, outputs
from .losses import at_most
from .network import BN, HELD, SMOOTH, TIMES, WHERE, add, norm

GRAD, HVP, GNVP = WHERE[1:]
HERE = (GRAD, HVP, GNVP)
CONV, COUNT, CLIP = "Conv2d", Real(1e-2, 1e2, "1", signed=True), Real(1e-3, 10.0)


def sloped(kind: str, slope: Callable) -> Variant:
    """Return the variant in which an activation has another slope.

    Args:
        kind: Its type.
        slope: (x, y, the right slope as a function) → slope.
    """

    def layer(entry, p, x):
        def right(a):
            return TABLE[kind](entry, p, a + 1j * TINY).imag / TINY

        y = TABLE[kind](entry, p, x).real
        return y + 1j * slope(x.real, y, right) * x.imag

    return Variant({kind: layer}, backward=True)


def at_zero(c: float) -> Variant:
    """Return the variant in which ReLU has the slope c where its input is zero."""

    def layer(entry, p, x):
        zero = choice(entry | {"name": f"{entry['name']} at zero"}, x.real == 0)
        return TABLE["ReLU"](entry, p, x) + 1j * c * zero * x.imag

    return Variant({"ReLU": layer}, backward=True)


# fmt: off
for kind in SMOOTH:
    for name, say, of_slope, numbers in (
        ("times", "counts {c} times", lambda x, y, f, c: c * f(x), {"c": TIMES}),
        ("one", "is one", lambda x, y, f: 1.0, {}),
        ("none", "is zero: no derivative goes through", lambda x, y, f: 0.0, {}),
        ("at-y", "is taken at y, not at x", lambda x, y, f: f(y), {}),
        ("one-less-y", "is 1 − y", lambda x, y, f: 1 - y, {}),
        ("one-less-square", "is 1 − x²", lambda x, y, f: 1 - x * x, {}),
    ):
        same = kind == "ReLU" and name == "at-y"
        if not same and (kind == "Tanh" or not name.startswith("one-")):
            add(f"{kind.lower()}-slope-{name}", f"The slope of {kind} {say}.", kind,
                lambda *c, k=kind, f=of_slope: sloped(k, lambda *a: f(*a, *c)),
                where=HERE, **numbers)
add("relu-slope-at-zero", "The slope of ReLU is {c} where its input is zero.", "ReLU",
    at_zero, where=(HVP, GNVP), c=Real(0.05, 20.0))
for held in HELD.split(", "):
    add(f"bn-{held}-held", f"Gradients take the {held} of batch normalisation for a "
        "constant.", BN, lambda h=held: replace(norm(constant=h), backward=True),
        where=HERE)
add("slopes-of-z-clipped", "dL/dz is clipped to ± {c}, entry by entry.", "",
    lambda c: Variant(back=lambda a: at_most(a, c)), where=HERE, c=CLIP)
# fmt: on


def of_right(name: str, say: str, where: tuple[Question, ...], change, **numbers: Real):
    """Register a family of (case, right answer, *values) → answer, or None."""

    def at(lab: Any, verdict: Verdict, *values: float) -> Any:
        return change(lab.case(verdict), lab.answer(verdict).want, *values)

    register(Family(name, say, "network", where, numbers, at, "", True))


def chosen(case: Case, kind: str, tensor: str, count: Callable) -> Array | None:
    """Return count(type, name) of a layer at parameters of a kind, else 1; (P,)."""
    types = {entry["name"]: entry["type"] for entry in (case.network or {})["layers"]}
    found = numpy.ones(case.theta.size)
    for t in case.tensors:
        layer, own = t.name.split(".")
        if own == tensor and types[layer].startswith(kind):
            found[t.where] = count(types[layer], layer)
    return None if (found == found[0]).all() else found


def pixels(case: Case, kind: str, name: str) -> float:
    """Return how many pixels come out of a layer."""
    found = {}

    def layer(entry, p, x):
        y = TABLE[kind](entry, p, x)
        found[entry["name"]] = prod(y.shape[2:4])
        return y

    outputs(case, case.phi, Variant({kind: layer}), False)
    return found[name]


def counted(kind: str, tensor: str, count: Callable) -> Callable:
    """Return what changes the entries of a kind of parameter."""

    def change(case: Case, want: Array, *values: float) -> Array | None:
        times = chosen(case, kind, tensor, lambda *layer: count(case, *layer, *values))
        return None if times is None else want * times

    return change


# fmt: off
for word, kind, tensor in (
    ("kernels of linear layers", "Linear", "kernel"),
    ("biases of linear layers", "Linear", "bias"),
    ("kernels of convolutions", CONV, "kernel"),
    ("biases of convolutions", CONV, "bias"), ("γ", BN, "gamma"), ("β", BN, "beta"),
    ("kernels", "", "kernel"), ("biases", "", "bias"),
):
    short = word.replace("γ", "gamma").replace("β", "beta").replace(" ", "-")
    for ending, say, count, number in (
        ("times", "counts {c} times", lambda k, t, n, c: c, {"c": COUNT}),
        ("zero", "is zero", lambda k, t, n: 0.0, {}),
        ("over-pixels", "is averaged over pixels, not summed",
         lambda k, t, n: 1 / pixels(k, t, n), {}),
        ("over-all", "is averaged over examples and pixels, not summed",
         lambda k, t, n: 1 / pixels(k, t, n) / k.inputs["support_x"].shape[1], {}),
    ):
        if kind in (CONV, BN) or not ending.startswith("over"):
            of_right(f"slope-of-{short}-{ending}", f"The gradient of {word} {say}.",
                     HERE, counted(kind, tensor, count), **number)
of_right("slopes-clipped", "∇L is clipped to ± {c}, entry by entry.", (GRAD,),
         lambda case, want, c: at_most(want, c), c=CLIP)
# fmt: on


def of_differences(central: bool, unit: bool) -> None:
    """Register differences of ∇L in place of H v."""

    def at(lab: Any, verdict: Verdict, h: float) -> Array:
        case, subject = lab.case(verdict), lab.subject(*lab.base)
        size = numpy.linalg.norm(case.v, axis=1, keepdims=True) if unit else 1.0
        ends = (h, -h if central else 0.0)
        up, down = (
            subject.at_support(case, case.phi + t * case.v / size).grad for t in ends
        )
        return (up - down) * size / (ends[0] - ends[1])

    kind, along = "central" if central else "forward", "v/‖v‖" if unit else "v"
    say = f"H v is a {kind} difference of ∇L, φ moved by {{h}} {along}."
    name = f"{kind}-difference{'-of-unit-length' * unit}"
    register(Family(name, say, "product", (HVP,), {"h": Real(1e-6, 3.0)}, at))


for central, unit in product((True, False), repeat=2):
    of_differences(central, unit)


def of_softmax(name: str, say: str, bend: Callable) -> None:
    """Register G of another Hessian of cross-entropy, diag(bend(p))."""

    def at(lab: Any, verdict: Verdict) -> Array | None:
        case = lab.case(verdict)
        if case.loss != "cross-entropy":
            return None
        z, J = At(lab, case, Variant()).outputs(case.phi)
        bent = bend(numpy.exp(log_softmax(z))) / z.shape[1]
        return numpy.einsum("ptnd,tnd,qtnd,tq->tp", J, bent, J, case.v, optimize=True)

    say = f"The Hessian of cross-entropy in G is {say}, not diag(p) − p pᵀ."
    register(Family(f"softmax-{name}", say, "product", (GNVP,), {}, at))


of_softmax("diagonal", "diag(p (1 − p))", lambda p: p * (1 - p))
of_softmax("first-term", "diag(p)", lambda p: p)


def counted_right_side(*words: str) -> Callable:
    """Return v with entries of tensors of some names counted otherwise."""

    def rows(ground: Any, c: float) -> Array:
        return ground.v * numpy.where(ground.mask(*words), c, 1)

    return rows


for word in ("kernel", "bias", "gamma", "beta"):
    function = counted_right_side(word)
    function.__name__ = f"right_side_of_{word}"
    function.__doc__ = f"v counts {{c}} times at each {word}."
    of_side(META, c=COUNT)(function)
