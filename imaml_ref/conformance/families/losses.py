"""Families of the loss: its value, the weights of the examples, what is added to it."""

from collections.abc import Callable

import numpy

from .family import Real
from .forward import Variant, chosen, log_softmax
from .network import ADDED, CE, EXP, LOG, SE, SHARE, TIMES, add

# Values of examples, of outputs z (..., N, D) and targets y (T, N), classes or vectors.


def one_hot(z, y):
    """Return one where the class is, else zero, (T, N, D)."""
    return numpy.eye(z.shape[-1])[y]


def smoothed(z, y, off, on):
    """Return the cross-entropy with other targets than zero and one."""
    target = off + (on - off) * one_hot(z, y)
    return -(target * log_softmax(z)).sum(-1)


def entropy(z, y):
    """Return the cross-entropy."""
    return -chosen(log_softmax(z), y)


def probability(z, y):
    """Return the probability of the right class."""
    return EXP(chosen(log_softmax(z), y))


def logarithms(z, y):
    """Return Σ exp z by its logarithm."""
    return chosen(z, y) - chosen(log_softmax(z), y)


def binary(p, y):
    """Return the binary cross-entropy of probabilities, summed over classes."""
    target = one_hot(p, y)
    return -(target * LOG(p) + (1 - target) * LOG(1 - p)).sum(-1)


def size(x):
    """Return |x|, of complex x too."""
    return numpy.where(x.real > 0, x, -x)


def hinge(z, y, margin):
    """Return the sum of max(0, margin + z_j − z_y) over the other classes."""
    gap = margin + z - chosen(z, y)[..., None]
    return (numpy.where(gap.real > 0, gap, 0) * (1 - one_hot(z, y))).sum(-1)


def bounded(d, delta):
    """Return d²/2 up to δ, and δ (|d| − δ/2) beyond."""
    return numpy.where(abs(d.real) < delta, d * d / 2, delta * (size(d) - delta / 2))


def at_most(z, c):
    """Return z, clamped to ± c."""
    return numpy.where(abs(z.real) < c, z, c * numpy.sign(z.real))


def of_loss(f: Callable) -> Callable:
    """Return the variant of a loss f(z, y, *values)."""
    return lambda *values: Variant(loss=lambda z, y: f(z, y, *values))


FREE, POWER, WIDTH = {"free": True}, Real(0.05, 8.0), Real(1e-3, 30.0)
# fmt: off
for name, say, of, f, numbers in (
    ("smoothing", "Labels are smoothed: 1 − {eps} + {eps}/D, else {eps}/D.", CE,
     lambda z, y, e: smoothed(z, y, e / z.shape[-1], 1 - e + e / z.shape[-1]),
     {"eps": SHARE}),
    ("smoothing-of-others", "Labels are smoothed: 1 − {eps}, and {eps}/(D − 1) "
     "elsewhere.", CE,
     lambda z, y, e: smoothed(z, y, e / (z.shape[-1] - 1), 1 - e), {"eps": SHARE}),
    ("temperature", "The logits are divided by a temperature of {tau}.", CE,
     lambda z, y, c: entropy(z / c, y), {"tau": TIMES}),
    ("squared-error-of-logits", "½‖z − one-hot‖² stands in place of cross-entropy.", CE,
     lambda z, y: ((z - one_hot(z, y)) ** 2).sum(-1) / 2, FREE),
    ("squared-error-of-probabilities", "½‖softmax z − one-hot‖² stands in place of "
     "cross-entropy.", CE,
     lambda z, y: ((EXP(log_softmax(z)) - one_hot(z, y)) ** 2).sum(-1) / 2, FREE),
    ("binary-of-logits", "The binary cross-entropy of sigmoids stands in place of "
     "cross-entropy, summed over classes.", CE,
     lambda z, y: binary(1 / (1 + EXP(-z)), y), FREE),
    ("binary-of-probabilities", "The binary cross-entropy of the softmax stands in "
     "place of cross-entropy, summed over classes.", CE,
     lambda z, y: binary(EXP(log_softmax(z)), y), FREE),
    ("focal", "The focal loss with γ = {gamma} stands in place of cross-entropy.", CE,
     lambda z, y, c: (1 - probability(z, y)) ** c * entropy(z, y),
     {"gamma": Real(1e-2, 10.0, "0")} | FREE),
    ("hinge", "The hinge loss of margin {c}, summed over classes, stands in place of "
     "cross-entropy.", CE, hinge, {"c": WIDTH} | FREE),
    ("generalised", "(1 − pᵠ)/q with q = {q} stands in place of cross-entropy.", CE,
     lambda z, y, q: (1 - probability(z, y) ** q) / q, {"q": Real(1e-2, 4.0)}),
    ("probability", "−p of the right class, not its logarithm, is the loss.", CE,
     lambda z, y: -probability(z, y), FREE),
    ("logit", "−z of the right class is the loss: the softmax is left out.", CE,
     lambda z, y: -chosen(z, y), FREE),
    ("log-of-p-plus", "−log(p + {eps}) is the loss.", CE,
     lambda z, y, e: -LOG(probability(z, y) + e), {"eps": Real(1e-7, 1.0, "0")}),
    ("z-loss", "{c} (log Σ exp z)² is added to the loss of each example.", CE,
     lambda z, y, c: entropy(z, y) + c * logarithms(z, y) ** 2, {"c": ADDED}),
    ("confidence-penalty", "{c} Σ p log p is added to the loss of each example.", CE,
     lambda z, y, c: entropy(z, y)
     + c * (EXP(log_softmax(z)) * log_softmax(z)).sum(-1), {"c": ADDED}),
    ("poly", "{c} (1 − p) is added to the loss of each example.", CE,
     lambda z, y, c: entropy(z, y) + c * (1 - probability(z, y)), {"c": ADDED}),
    ("logits-clamped", "The logits are clamped to ± {c}.", CE,
     lambda z, y, c: entropy(at_most(z, c), y), {"c": WIDTH}),
    ("huber", "The Huber loss with δ = {delta} stands in place of the squared error.",
     SE, lambda z, y, d: bounded(z - y, d).sum(-1), {"delta": WIDTH} | FREE),
    ("smooth-l1", "The smooth L1 loss with β = {beta} stands in place of the squared "
     "error.", SE, lambda z, y, d: bounded(z - y, d).sum(-1) / d,
     {"beta": WIDTH} | FREE),
    ("absolute", "The absolute error stands in place of the squared error.", SE,
     lambda z, y: size(z - y).sum(-1), FREE),
    ("power", "Σ |z − y|ᵖ with p = {p} stands in place of the squared error.", SE,
     lambda z, y, p: (size(z - y) ** p).sum(-1), {"p": POWER} | FREE),
    ("norm", "‖z − y‖ of each example stands in place of ½‖z − y‖².", SE,
     lambda z, y: ((z - y) ** 2).sum(-1) ** 0.5, FREE),
    ("log-cosh", "Σ log cosh(z − y) stands in place of the squared error.", SE,
     lambda z, y: LOG((EXP(z - y) + EXP(y - z)) / 2).sum(-1), FREE),
):
    add(name, say, of, of_loss(f), **numbers)

# What is made of the whole.
add("root", "The root of the squared error is the loss.", SE,
    lambda: Variant(after=lambda L: L**0.5), free=True)
add("loss-to-the-power", "The loss is taken to the power {p}.", "",
    lambda p: Variant(after=lambda L: L**p), p=Real(0.1, 8.0, "1"))
for word, mask in (
    ("all parameters", lambda case: 1.0),
    ("kernels", lambda case: named(case, "kernel")),
    ("all but normalisation", lambda case: 1 - named(case, "gamma", "beta")),
    ("the last layer", lambda case: named(case, "head.")),
):
    add(f"decay-of-{word.replace(' ', '-')}",
        f"Weight decay: {{c}}/2 ‖φ‖² of {word} is added to the loss.", "",
        lambda c, m=mask: Variant(penalty=lambda k, phi: m(k) * c / 2 * phi**2),
        c=ADDED)
    add(f"l1-of-{word.replace(' ', '-')}",
        f"{{c}} ‖φ‖₁ of {word} is added to the loss.", "",
        lambda c, m=mask: Variant(penalty=lambda k, phi: m(k) * c * size(phi)), c=ADDED)
add("proximal-in-the-loss", "{c}/2 ‖φ − θ‖² is added to the loss.", "",
    lambda c: Variant(penalty=lambda k, phi: c / 2 * (phi - k.theta) ** 2), c=ADDED)
# fmt: on


def named(case, *words: str):
    """Return 1 at tensors with one of some words in their names, else 0, (P,).

    Raises:
        ValueError: If that is all of them, or none.
    """
    found = numpy.zeros(case.theta.size)
    for tensor in case.tensors:
        found[tensor.where] = any(word in tensor.name for word in words)
    if found.min() == found.max():
        raise ValueError(f"{case.name} has nothing else than {words}; leave it out")
    return found


# Weights of examples, (T, N).


def share(weights):
    """Return weights that sum to one."""
    return weights / weights.sum(1, keepdims=True)


def over_count(weights):
    """Return weights over the number of examples."""
    return weights / weights.shape[1]


def ones(y):
    """Return one for each example."""
    return numpy.ones(y.shape[:2])


def but(y, place, weight=0.0):
    """Return one for each example but some, which have another weight."""
    found = ones(y)
    found[:, place] = weight
    return found


def weighted(f: Callable) -> Variant:
    """Return the variant of weights f(y) or f(y, D)."""
    return Variant(weights=f)


def each(count: Callable, make: Callable) -> Callable:
    """Return (case, *values) → the variants make(k, *values) of k = 1, 2, …, count."""

    def of(case, *values):
        n = count(case)
        return [make(k, *values) for k in range(1, n + 1)]

    return of


def examples(less: int) -> Callable:
    """Return the number of support examples less some."""
    return lambda case: case.inputs["support_x"].shape[1] - less


def outputs_of(case) -> int:
    """Return the number of classes."""
    return case.net.num_outputs


def batches(y, b: int):
    """Return the weights of a mean over batches of b, the last one smaller."""
    n = y.shape[1]
    sizes = [min(b, n - i // b * b) for i in range(n)]
    return share(ones(y) / numpy.array(sizes))


# fmt: off
add("last-left-out", "The last example is left out.", "",
    lambda: weighted(lambda y, D: share(but(y, -1))), free=True)
add("first-examples", "Only the first {k} examples count.", "",
    each(examples(2), lambda k: weighted(lambda y, D: share(but(y, slice(k, None))))),
    "k", True)
add("example-left-out", "Example {k} is left out.", "",
    each(examples(1), lambda k: weighted(lambda y, D: share(but(y, k - 1)))), "k", True)
add("batch-means", "The loss is the mean over batches of {k} examples, of which the "
    "last, smaller one counts as much.", "",
    each(examples(1), lambda k: weighted(lambda y, D: batches(y, k))), "k", True)
for place, word in ((-1, "last"), (0, "first")):
    add(f"{word}-example-weighs", f"The {word} example counts {{w}} times.", "",
        lambda w, p=place: weighted(lambda y, D: over_count(but(y, p, w))), w=TIMES)
for ending, mean, word in (("", over_count, ""),
                           ("-normalised", share, " in a weighted mean")):
    add(f"class-weighs{ending}", f"Class number {{k}} counts {{w}} times{word}.", CE,
        each(outputs_of, lambda k, w, m=mean: weighted(
            lambda y, D: m(numpy.where(y == k - 1, w, 1.0)))), "k", w=TIMES)
    add(f"class-left-out{ending}", "Class number {k} does not count"
        f"{', nor in the mean' * bool(ending)}.", CE,
        each(outputs_of, lambda k, m=mean: weighted(
            lambda y, D: m(numpy.where(y == k - 1, 0.0, 1.0)))), "k")
    add(f"classes-balanced{ending}", f"Classes count N/(D N_c) times{word}.", CE,
        lambda m=mean: weighted(lambda y, D: m(balanced(y, D))))
add("labels-shifted", "Labels are off by {k}, modulo D.", CE,
    each(lambda case: case.net.num_outputs - 1, lambda k: Variant(
        loss=lambda z, y: entropy(z, (y + k) % z.shape[-1]))), "k")
add("targets-rolled", "Each example has the target of the one {k} places before.", "",
    lambda case: [Variant(loss=lambda z, y, k=k: rolled(case, z, y, k))
                  for k in range(1, examples(0)(case))], "k")
# fmt: on


def balanced(y, D: int):
    """Return N/(D N_c) of each example's class, (T, N)."""
    counts = (y[..., None] == numpy.arange(D)).sum(1)
    return y.shape[1] / (D * numpy.take_along_axis(counts, y, 1))


def rolled(case, z, y, k: int):
    """Return the right loss, of targets in another order."""
    from .forward import RIGHT

    return RIGHT[case.loss](z, numpy.roll(y, k, 1))
