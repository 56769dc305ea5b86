"""Answers by conventions other than ours: not wrong, and not what the suite asks for.

slope s of ReLU at 0            where a pre-activation is exactly zero; ours is 0
ties of max-pooling             shared evenly; ours go to the first
tasks weighted by size          of their sets; ours count each task once
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy

from ..layers import Layer, MaxPool2d, ReLU, pooling
from .agreement import agreement
from .asking import questions
from .case import Answer, Array, Case
from .computation import Computation


class SlopedReLU(ReLU):
    """ReLU with another slope at zero."""

    def __init__(self, slope: float):
        self.slope = slope

    def forward(self, p, x):
        """Return y and the slopes."""
        y, saved = super().forward(p, x)
        return y, saved._replace(s=numpy.where(x.real == 0, self.slope, saved.s))


class SharingPool(MaxPool2d):
    """Max-pooling that shares the cotangent evenly among equal entries."""

    def forward(self, p, x):
        """Return y and the weights."""
        y, saved = super().forward(p, x)
        x_k = pooling.split(x, self.window).real
        largest = x_k == x_k.max(-1, keepdims=True)
        return y, saved._replace(w=largest / largest.sum(-1, keepdims=True))


@dataclass(frozen=True)
class OtherLayers(Computation):
    """The reference computation with another layer in the place of one kind.

    Args:
        kind: The layer.
        other: Makes what stands in its place.
    """

    kind: type[Layer]
    other: Callable[[Layer], Layer]

    def layer(self, layer: Layer) -> Layer:
        """Return what stands in the place of a layer."""
        return self.other(layer) if isinstance(layer, self.kind) else layer


@dataclass(frozen=True)
class BySize(Computation):
    """The reference computation with tasks weighted by the size of a set.

    Args:
        name: "support_x" or "query_x".
    """

    name: str

    def by_group(self, ask: Callable, case: Case, phi: Array | None = None) -> Array:
        """Return what is asked (T, ...), times size over mean size."""
        found = super().by_group(ask, case, phi)
        sizes = numpy.concatenate(
            [
                numpy.full(a.shape[0], a.shape[1])
                for a in (s[self.name] for s in case.sets)
            ]
        )
        weights = sizes / sizes.mean()
        return weights.reshape(-1, *(1,) * (found.ndim - 1)) * found


def conventions(case: Case) -> Iterator[tuple[str, Computation]]:
    """Yield the conventions that can matter in a case, by name."""
    kinds = {type(layer) for layer in case.net.layers.values()}
    if ReLU in kinds:
        for slope, sign in ((0.5, "½"), (1.0, "1")):
            name = f"slope {sign} of ReLU at 0"
            yield name, OtherLayers(ReLU, partial(sloped, slope))
    if MaxPool2d in kinds:
        name = "ties of max-pooling shared evenly"
        yield name, OtherLayers(MaxPool2d, shared)
    if case.sets:
        for which in ("query", "support"):
            yield f"tasks weighted by size ({which} sets)", BySize(f"{which}_x")


def sloped(slope: float, layer: Layer) -> Layer:
    """Return ReLU with a slope at zero."""
    return SlopedReLU(slope)


def shared(layer: Layer) -> Layer:
    """Return a max-pooling that shares."""
    return SharingPool(**vars(layer))


def with_conventions(case: Case, level: str, name: str, answer: Answer) -> Answer:
    """Return an answer with those of other conventions that differ from it visibly."""
    found = {}
    for convention, subject in conventions(case):
        other = numpy.asarray(questions(subject, case, level)[name]())
        seen = agreement(case, level, other, answer.want).digits
        if seen < answer.required["float64"]:
            found[convention] = other
    return replace(answer, conventions=found)
