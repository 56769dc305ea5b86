"""Families of the network: another activation or normalisation.

Each is a row: name, what is said, the layer that it is about, and what it computes.
"""

from collections.abc import Callable
from typing import Any

import numpy
from numpy import exp, log, tanh
from scipy.special import erf

from ..case import Array
from .evidence import has
from .family import META, Family, Question, Real, register
from .forward import TABLE, At, Variant, answer, scaled
from .ground import exchanged, solve

WHERE: tuple[Question, ...] = (
    ("L1", "loss"), ("L1", "grad"), ("L2", "hvp"), ("L2", "gnvp"),
)  # fmt: skip


class Few(Real):
    """A number of a network: its grid is coarse, as each point takes a pass."""

    def grid(self, count):
        """Return values to begin from."""
        return super().grid(min(count, 7))


LEAK = Few(1e-3, 30.0, "1")  # of slope one it is the identity
SOME, TIMES, EPS = Few(1e-3, 30.0), Few(1e-2, 1e2, "1"), Few(1e-9, 1.0)


def add(
    name: str, say: str, of: str, make: Callable, steps="", free=False, where=WHERE,
    **numbers,
):  # fmt: skip
    """Register a family.

    Args:
        name: See ``Family``.
        say: See ``Family``.
        of: The loss or type of layer without which it has no meaning; empty for none.
        make: (*values) → Variant; with steps, (case, *values) → a list of them.
        steps: See ``Family``.
        free: Whether a factor stands in front.
        where: See ``Family``.
        **numbers: See ``Family``.
    """

    def at(lab: Any, verdict: Any, *values: float) -> Any:
        case = lab.case(verdict)
        if of and not (case.loss == of or has(case, of)):
            return None
        if not steps:
            return answer(lab, verdict, make(*values))
        return [answer(lab, verdict, one) for one in make(case, *values)]

    register(Family(name, say, "network", where, numbers, at, steps, not free))


def either(x, positive, negative):
    """Return one thing where x is positive, another elsewhere."""
    return numpy.where(x.real > 0, positive, negative)


def clamped(x, low, high):
    """Return x, clamped to [low, high]."""
    x = numpy.where(x.real > low, x, low)
    return numpy.where(x.real < high, x, high)


def once_more(kind, entries):
    """Return another layer like the first of a kind."""
    return dict(next(e for e in entries if e["type"] == kind)) | {"name": "last"}


def sigmoid(x):
    """Return 1 / (1 + e⁻ˣ)."""
    return 1 / (1 + exp(-x))


def selu(x):
    """Return SELU, of the constants of Klambauer et al. (2017)."""
    return 1.0507009873554805 * either(x, x, 1.6732632423543772 * (exp(x) - 1))


def gelu_tanh(x):
    """Return the approximation of GELU by tanh, Hendrycks and Gimpel (2016)."""
    return x * (1 + tanh((2 / numpy.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2


# fmt: off
ACTIVATIONS: tuple[tuple[str, str, Callable], ...] = (
    ("identity", "Nothing", lambda x: x),
    ("relu", "ReLU", lambda x: either(x, x, 0)),
    ("elu", "ELU with α = {c}", lambda x, c: either(x, x, c * (exp(x) - 1))),
    ("celu", "CELU with α = {c}", lambda x, c: either(x, x, c * (exp(x / c) - 1))),
    ("leaky-relu", "Leaky ReLU of slope {c}", lambda x, c: either(x, x, c * x)),
    ("selu", "SELU", selu),
    ("softplus", "Softplus with β = {c}", lambda x, c: log(1 + exp(c * x)) / c),
    ("tanh", "tanh({c} x)", lambda x, c: tanh(c * x)),
    ("scaled-tanh", "{a} tanh({c} x)", lambda x, a, c: a * tanh(c * x)),
    ("sigmoid", "The sigmoid of {c} x", lambda x, c: sigmoid(c * x)),
    ("swish", "x sigmoid({c} x)", lambda x, c: x * sigmoid(c * x)),
    ("gelu", "GELU", lambda x: x * (1 + erf(x / 2**0.5)) / 2),
    ("gelu-tanh", "GELU, approximated by tanh,", gelu_tanh),
    ("mish", "Mish", lambda x: x * tanh(log(1 + exp(x)))),
    ("clamp", "Clamping to ± {c}", lambda x, c: clamped(x, -c, c)),
    ("capped-relu", "ReLU, at most {c},", lambda x, c: clamped(x, 0, c)),
    ("softsign", "x / (1 + |x|)", lambda x: x / (1 + either(x, x, -x))),
    ("arctan", "The arcus tangens", numpy.arctan),
    ("sine", "The sine", numpy.sin),
    ("hard-sigmoid", "The hard sigmoid", lambda x: clamped(x / 6 + 0.5, 0, 1)),
    ("hard-swish", "Hard swish", lambda x: x * clamped(x / 6 + 0.5, 0, 1)),
)
SMOOTH = ("Tanh", "ReLU", "ELU", "Softplus")
for kind in SMOOTH:
    for word, say, f in ACTIVATIONS:
        if word == "scaled-tanh" and kind != "Tanh":
            continue  # a variant of tanh itself; elsewhere it ties with tanh
        if word != kind.lower() or "{" in say:
            add(f"{kind.lower()}-is-{word}", f"{say} stands in place of {kind}.", kind,
                lambda *c, f=f, k=kind: Variant({k: lambda e, p, x: f(x, *c)}),
                **{n: LEAK if word == "leaky-relu" else SOME
                   for n in ("a", "c") if f"{{{n}}}" in say})
    add(f"{kind.lower()}-times", f"The output of {kind} counts {{c}} times.", kind,
        lambda c, k=kind: Variant({k: lambda e, p, x: c * TABLE[k](e, p, x)}), c=TIMES)
    add(f"{kind.lower()}-of-outputs", f"{kind} is applied to the outputs too.", kind,
        lambda k=kind: Variant(arrange=lambda entries: [
            *entries, once_more(k, entries)]))
# fmt: on


def norm(axes=(1, 2, 3), eps=None, outside=0.0, of="", move=None, constant=""):
    """Return the variant with another normalisation.

    Args:
        axes: Over which there are means.
        eps: ε; by default the layer's.
        outside: What is added to the standard deviation, in place of ε.
        of: Which examples are averaged: "query", or "both"; by default the support.
        move: (mean, variance, how many are averaged) → mean and variance that are used.
        constant: "mean", "variance" or both: what is not differentiated.
    """

    def layer(entry, p, x):
        a = x[:, entry["support"] :] if of == "query" else x
        mean = a.mean(axes, keepdims=True)
        mean = mean.real if "mean" in constant else mean
        variance = ((a - mean) ** 2).mean(axes, keepdims=True)
        if move:
            mean, variance = move(mean, variance, a[0].size / mean[0].size)
        variance = variance.real if "variance" in constant else variance
        e = entry["eps"] if eps is None else eps
        rho = 1 / (variance**0.5 + outside) if outside else (variance + e) ** -0.5
        return scaled(p, (x - mean) * rho)

    return Variant({BN: layer}, query=bool(of))


def running(m: float, unbiased: bool) -> Callable:
    """Return how statistics move from mean 0 and variance 1, by a momentum."""

    def move(mean, variance, n):
        return m * mean, 1 - m + m * variance * (n / (n - 1) if unbiased else 1)

    return move


# fmt: off
BN, HAS = "BatchNorm2d", "Batch normalisation has"
for name, say, of_bn, numbers in (
    ("bn-eps", f"{HAS} ε = {{eps}}.", lambda eps: norm(eps=eps), {"eps": EPS}),
    ("bn-eps-outside", "Batch normalisation divides by σ + {eps}.",
     lambda eps: norm(outside=eps), {"eps": EPS}),
    ("bn-identity", "Batch normalisation is in evaluation mode: mean 0, variance 1.",
     lambda: norm(move=lambda mean, variance, n: (0 * mean, 0 * variance + 1)), {}),
    ("bn-left-out", "Batch normalisation is left out, γ and β too.",
     lambda: Variant({BN: lambda e, p, x: x}), {}),
    ("instance-norm", f"{HAS} statistics of each image.", lambda: norm((2, 3)), {}),
    ("layer-norm", f"{HAS} statistics of each image, channels together.",
     lambda: norm((2, 3, 4)), {}),
    ("layer-norm-of-pixels", f"{HAS} statistics of each pixel of each image.",
     lambda: norm((4,)), {}),
    ("bn-pixelwise", f"{HAS} statistics of each pixel.", lambda: norm((1,)), {}),
    ("gamma-plus", "{c} is added to γ.", lambda c: Variant(
        {BN: lambda e, p, x: TABLE[BN](e, p | {"gamma": p["gamma"] + c}, x)}),
     {"c": SOME}),
    ("bn-of-both", f"{HAS} statistics of support and query set together.",
     lambda: norm(of="both"), {}),
):
    add(name, say, BN, of_bn, **numbers)
HELD = "mean, variance"
for held, also in ((HELD, ", constants when differentiating"), ("", "")):
    add(f"bn-of-query{'-constant' * bool(held)}",
        f"{HAS} the query set's statistics{also}.", BN,
        lambda h=held: norm(of="query", constant=h))
    for unbiased in (True, False):
        add(f"bn-running{'-unbiased' * unbiased}{'' if held else '-differentiated'}",
            f"{HAS} running statistics{also}, after one update of momentum {{m}} from "
            f"mean 0 and variance 1{', unbiased' * unbiased}.", BN,
            lambda m, u=unbiased, h=held: norm(move=running(m, u), constant=h),
            m=Few(0.01, 1.0, "1"))
# fmt: on


def in_the_query_loss(name: str, say: str, make: Callable) -> None:
    """Register a variant of the network where the query loss is computed alone."""

    def v(lab: Any, case: Any, phi: Array) -> Array:
        edges = numpy.cumsum([0, *(g.num_tasks for g in case.groups)])
        found = [
            At(lab, exchanged(g), make()).grad(phi[a:b])
            for g, a, b in zip(case.groups, edges, edges[1:], strict=False)
        ]
        return numpy.concatenate(found)

    def at(lab: Any, verdict: Any) -> Any:
        case, ground = lab.case(verdict), lab.ground(verdict)
        if not has(case, BN):
            return None
        key = ("in the query loss", name, case.name, ground.phi.tobytes())
        found = lab.once(key, lambda: v(lab, case, ground.phi))
        return lab.assembled(verdict, ground.lam * solve(ground.A, found))

    register(Family(f"{name}-in-the-query-loss", say, "right side", META, {}, at))


for name, say, make in (
    ("bn-of-both", "statistics of both sets", lambda: norm(of="both")),
    ("bn-of-the-support", "the support set's statistics", lambda: norm(of="query")),
    ("instance-norm", "statistics of each image", lambda: norm((2, 3))),
):
    in_the_query_loss(name, f"In the query loss, {HAS.lower()} {say}.", make)
