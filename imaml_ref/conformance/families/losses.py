"""Families of the loss: its value, the weights of the examples, what is added to it.

Outputs z are (..., N, D), targets y (T, N) of classes or (T, N, D), weights (T, N).
"""

from collections.abc import Callable

import numpy
from numpy import exp, log

from .family import Real
from .forward import RIGHT, Variant, chosen, log_softmax
from .network import TIMES, add, sigmoid

CE, SE = "cross-entropy", "squared-error"
entropy = RIGHT[CE]


def one_hot(z, y):
    """Return one at the class, else zero, (T, N, D)."""
    return numpy.eye(z.shape[-1])[y]


def p(z, y):
    """Return the probability of the right class."""
    return exp(chosen(log_softmax(z), y))


def smoothed(z, y, off):
    """Return the cross-entropy, the other targets not zero."""
    target = numpy.where(one_hot(z, y), 1 - (z.shape[-1] - 1) * off, off)
    return -(target * log_softmax(z)).sum(-1)


def binary(q, y):
    """Return the binary cross-entropy of probabilities, summed over classes."""
    return -log(numpy.where(one_hot(q, y), q, 1 - q)).sum(-1)


def size(x):
    """Return |x|, differentiable by complex steps."""
    return numpy.where(x.real > 0, x, -x)


def hinge(z, y, margin):
    """Return the sum of max(0, margin + z_j − z_y) over the other classes."""
    gap = margin + z - chosen(z, y)[..., None]
    return (numpy.where(gap.real > 0, gap, 0) * (1 - one_hot(z, y))).sum(-1)


def bounded(d, delta):
    """Return the sum of d²/2 up to δ, of δ (|d| − δ/2) beyond."""
    beyond = delta * (size(d) - delta / 2)
    return numpy.where(abs(d.real) < delta, d * d / 2, beyond).sum(-1)


def at_most(z, c):
    """Return z, clamped to ± c."""
    return numpy.where(abs(z.real) < c, z, c * numpy.sign(z.real))


FREE, WIDTH, ADDED = {"free": True}, Real(1e-3, 30.0), Real(1e-6, 1e2, "0")
WEIGHT = Real(0.05, 20.0)
SHARE, FEW = {"eps": Real(1e-4, 0.9, "0")}, {"eps": Real(1e-7, 1.0, "0")}
FOR = "stands in place of cross-entropy"
# fmt: off
for name, say, f, numbers in (
    ("smoothing", "Labels are smoothed: 1 − {eps} + {eps}/D, and {eps}/D elsewhere.",
     lambda z, y, e: smoothed(z, y, e / z.shape[-1]), SHARE),
    ("smoothing-of-others", "Labels are smoothed: 1 − {eps}, {eps}/(D − 1) elsewhere.",
     lambda z, y, e: smoothed(z, y, e / (z.shape[-1] - 1)), SHARE),
    ("temperature", "The logits are divided by a temperature of {tau}.",
     lambda z, y, tau: entropy(z / tau, y), {"tau": TIMES}),
    ("squared-error-of-logits", f"½‖z − one-hot‖² {FOR}.",
     lambda z, y: ((z - one_hot(z, y)) ** 2).sum(-1) / 2, FREE),
    ("squared-error-of-probabilities", f"½‖softmax z − one-hot‖² {FOR}.",
     lambda z, y: ((exp(log_softmax(z)) - one_hot(z, y)) ** 2).sum(-1) / 2, FREE),
    ("binary-of-logits", f"The binary cross-entropy of sigmoids, summed, {FOR}.",
     lambda z, y: binary(sigmoid(z), y), FREE),
    ("binary-of-probabilities", f"The binary cross-entropy of the softmax {FOR}.",
     lambda z, y: binary(exp(log_softmax(z)), y), FREE),
    ("focal", f"The focal loss with γ = {{gamma}} {FOR}.",
     lambda z, y, c: (1 - p(z, y)) ** c * entropy(z, y),
     {"gamma": Real(1e-2, 10.0, "0")} | FREE),
    ("hinge", f"The hinge loss of margin {{c}}, summed over classes, {FOR}.",
     hinge, {"c": WIDTH} | FREE),
    ("generalised", f"(1 − pᵠ)/q with q = {{q}} {FOR}.",
     lambda z, y, q: (1 - p(z, y) ** q) / q, {"q": Real(1e-2, 4.0)}),
    ("probability", "−p of the right class, not its logarithm, is the loss.",
     lambda z, y: -p(z, y), FREE),
    ("logit", "−z of the right class is the loss: the softmax is left out.",
     lambda z, y: -chosen(z, y), FREE),
    ("log-of-p-plus", "−log(p + {eps}) is the loss.",
     lambda z, y, e: -log(p(z, y) + e), FEW),
    ("z-loss", "{c} (log Σ exp z)² is added to the loss of each example.",
     lambda z, y, c: entropy(z, y) + c * (entropy(z, y) + chosen(z, y)) ** 2,
     {"c": ADDED}),
    ("confidence-penalty", "{c} Σ p log p is added to the loss of each example.",
     lambda z, y, c: entropy(z, y)
     + c * (exp(log_softmax(z)) * log_softmax(z)).sum(-1), {"c": ADDED}),
    ("poly", "{c} (1 − p) is added to the loss of each example.",
     lambda z, y, c: entropy(z, y) + c * (1 - p(z, y)), {"c": ADDED}),
    ("logits-clamped", "The logits are clamped to ± {c}.",
     lambda z, y, c: entropy(at_most(z, c), y), {"c": WIDTH}),
    ("logits-capped", "The logits are {c} tanh(z/{c}).",
     lambda z, y, c: entropy(c * numpy.tanh(z / c), y), {"c": WIDTH}),
):
    add(name, say, CE, lambda *c, f=f: Variant(loss=lambda z, y: f(z, y, *c)),
        **numbers)
for name, say, of_gap, numbers in (
    ("huber", "The Huber loss with δ = {delta}", bounded, {"delta": WIDTH}),
    ("smooth-l1", "The smooth L1 loss with β = {beta}",
     lambda d, beta: bounded(d, beta) / beta, {"beta": WIDTH}),
    ("absolute", "The absolute error", lambda d: size(d).sum(-1), {}),
    ("power", "Σ |z − y|ᵖ with p = {p}", lambda d, p: (size(d) ** p).sum(-1),
     {"p": Real(0.05, 8.0)}),
    ("norm", "‖z − y‖ of each example", lambda d: (d * d).sum(-1) ** 0.5, {}),
    ("log-cosh", "Σ log cosh(z − y)",
     lambda d: log((exp(d) + exp(-d)) / 2).sum(-1), {}),
):
    add(name, f"{say} stands in place of the squared error.", SE,
        lambda *c, f=of_gap: Variant(loss=lambda z, y: f(z - y, *c)), free=True,
        **numbers)
# fmt: on


def masked(case, f, words: tuple[str, ...], without: bool):
    """Return f (T, P) at tensors with, or without, one of some words in their names."""
    mask = numpy.zeros(case.theta.size)
    for tensor in case.tensors:
        mask[tensor.where] = any(word in tensor.name for word in words) != without
    return mask * f


# fmt: off
add("root", "The root of the squared error is the loss.", SE,
    lambda: Variant(after=lambda L: L**0.5), free=True)
add("root-of-mean", "The root of the squared error's mean, over outputs too, is the "
    "loss.", SE, lambda: Variant(
        loss=lambda z, y: ((z - y) ** 2).mean(-1), after=lambda L: L**0.5), free=True)
for name, say, f in (
    ("decay", "{c}/2 ‖φ‖² of {which} is added to the loss.", lambda k, a: a * a / 2),
    ("l1", "{c} ‖φ‖₁ of {which} is added to the loss.", lambda k, a: size(a)),
    ("proximal", "{c}/2 ‖φ − θ‖² of {which} is added to the loss.",
     lambda k, a: (a - k.theta) ** 2 / 2),
):
    for ending, which, words, no in (
        ("", "all", ("",), False), ("-of-kernels", "kernels", ("kernel",), False),
        ("-but-norms", "all but γ and β", ("gamma", "beta"), True),
    ):
        add(f"{name}{ending}", say.replace("{which}", which), "",
            lambda c, f=f, w=words, n=no: Variant(
                penalty=lambda k, a: masked(k, c * f(k, a), w, n)), c=ADDED)
# fmt: on


def share(weights):
    """Return weights that sum to one."""
    return weights / weights.sum(1, keepdims=True)


def over_count(weights):
    """Return weights over the number of examples."""
    return weights / weights.shape[1]


def but(y, place, weight=0.0):
    """Return one for each example but some, which have another weight."""
    found = numpy.ones(y.shape[:2])
    found[:, place] = weight
    return found


def batches(y, b: int):
    """Return the weights of a mean of means over batches of b, the last one smaller."""
    n = y.shape[1]
    sizes = [min(b, n - i // b * b) for i in range(n)]
    return share(but(y, slice(0)) / numpy.array(sizes))


def balanced(y, D: int):
    """Return N/(D N_c) of each example's class."""
    counts = (y[..., None] == numpy.arange(D)).sum(1)
    return y.shape[1] / (D * numpy.take_along_axis(counts, y, 1))


def each(count: Callable, make: Callable) -> Callable:
    """Return (case, *values) → variants make(case, k, *values), k = 1, 2, … count."""
    return lambda case, *c: [make(case, k, *c) for k in range(1, count(case) + 1)]


def weighing(weights: Callable) -> Callable:
    """Return (case, k, *values) → the variant of weights(y, k, *values)."""
    return lambda case, k, *c: Variant(weights=lambda y, D: weights(y, k, *c))


def shots(less: int) -> Callable:
    """Return the number of support examples less some."""
    return lambda case: case.inputs["support_x"].shape[1] - less


def ways(case) -> int:
    """Return the number of classes."""
    return case.net.num_outputs


# fmt: off
add("last-left-out", "The last example is left out.", "",
    lambda: Variant(weights=lambda y, D: share(but(y, -1))), free=True)
for name, say, count, weights in (
    ("first-examples", "Only the first {k} examples count.", shots(2),
     lambda y, k: share(but(y, slice(k, None)))),
    ("example-left-out", "Example {k} is left out.", shots(1),
     lambda y, k: share(but(y, k - 1))),
    ("batch-means", "The loss is the mean over batches of {k}, the last one smaller.",
     shots(1), batches),
):
    add(name, say, "", each(count, weighing(weights)), "k", True)
for place, word in ((-1, "last"), (0, "first")):
    add(f"{word}-example-weighs", f"The {word} example counts {{w}} times.", "",
        lambda w, i=place: Variant(weights=lambda y, D: over_count(but(y, i, w))),
        w=TIMES)
add("class-weights", "Class weights go from {a} to {b}, equally spaced.", CE,
    lambda a, b: Variant(weights=lambda y, D: over_count(numpy.linspace(a, b, D)[y])),
    a=WEIGHT, b=WEIGHT)
add("class-weights-normalised",
    "Class weights go from 1 to {c}, equally spaced, in a weighted mean.", CE,
    lambda c: Variant(weights=lambda y, D: share(numpy.linspace(1, c, D)[y])), c=TIMES)
for ending, mean, word in (("", over_count, ""),
                           ("-normalised", share, ", in a weighted mean")):
    add(f"class-weighs{ending}", f"Class number {{k}} counts {{w}} times{word}.", CE,
        each(ways, weighing(
            lambda y, k, w, m=mean: m(numpy.where(y == k - 1, w, 1.0)))), "k", w=TIMES)
    add(f"class-left-out{ending}", f"Class number {{k}} does not count{word}.", CE,
        each(ways, weighing(lambda y, k, m=mean: m(1.0 * (y != k - 1)))), "k")
    add(f"classes-balanced{ending}", f"Classes count N/(D N_c) times{word}.", CE,
        lambda m=mean: Variant(weights=lambda y, D: m(balanced(y, D))))
add("labels-shifted", "Labels are off by {k}, modulo D.", CE,
    each(lambda case: ways(case) - 1, lambda case, k: Variant(
        loss=lambda z, y: entropy(z, (y + k) % z.shape[-1]))), "k")
add("targets-rolled", "Each example has the target of the one {k} places before.", "",
    each(shots(1), lambda case, k: Variant(
        loss=lambda z, y: RIGHT[case.loss](z, numpy.roll(y, k, 1)))), "k")
# fmt: on
