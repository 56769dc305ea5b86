"""Digits of agreement, tensor by tensor, and what they mean.

    digits = −log₁₀( ‖got − want‖ / max(‖want‖, √u ‖whole vector‖) )

of each tensor of each task, u the unit roundoff of ``got``; an answer is as good as its
worst tensor.  The floor judges an exact zero, such as the gradient of a bias before
batch normalisation, on the scale of its neighbours.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy

from ..checks import digits
from .case import Array, Case
from .levels import OUTER_STEPS


@dataclass(frozen=True)
class Agreement:
    """How well an answer agrees, and where it agrees least.

    Args:
        digits: Of the worst tensor, from 0 to 16.
        tensor: Its name; empty where the answer is one array.
        task: Its task; None where the answer has no task axis.
        entry: Index of the worst entry in the tensor.
        got: That entry.
        want: What it should be.
    """

    digits: float
    tensor: str
    task: int | None
    entry: tuple[int, ...]
    got: float
    want: float

    @property
    def ratio(self) -> float:
        """Got over expected; NaN where zero is expected."""
        return self.got / self.want if self.want else float("nan")


def agreement(case: Case, level: str, got: Array, want: Array) -> Agreement:
    """Compare an answer with the right one.

    Args:
        case: Whose it is.
        level: Of what is asked.
        got: The answer, of the shape of ``want``.
        want: The right one.
    """
    got, want = (moved(case, level, a) for a in (got, want))
    found = [
        worst(part, piece, whole, name, task)
        for task, row, whole in rows(case, got, want)
        for name, part, piece in pieces(case, row, whole)
    ]
    return min(found, key=lambda a: a.digits)


def moved(case: Case, level: str, answer: Array) -> Array:
    """Return what is compared: of an outer step how far it went, not where to."""
    step = level in OUTER_STEPS
    return answer - case.theta.astype(answer.dtype) if step else answer


def rows(case: Case, got: Array, want: Array) -> Iterator[tuple]:
    """Yield task, answer and right answer, along the task axis if there is one."""
    if not case.tensors or want.shape in ((), (case.net.layout.size,)):
        yield None, got, want
    else:
        yield from ((t, got[t], want[t]) for t in range(len(want)))


def pieces(case: Case, got: Array, want: Array) -> Iterator[tuple]:
    """Yield name, answer and right answer of each tensor; a number is one."""
    if not case.tensors or want.ndim == 0:
        yield "", got, want
        return
    for tensor in case.tensors:
        found = (a[tensor.where].reshape(tensor.shape) for a in (got, want))
        yield tensor.name, *found


def worst(got: Array, want: Array, whole: Array, tensor: str, task) -> Agreement:
    """Return the digits of a tensor and its worst entry."""
    got, want = numpy.asarray(got), numpy.asarray(want)
    found = digits(got, want, whole=numpy.asarray(whole))
    gap = numpy.abs(got.astype(float) - want)
    index = numpy.unravel_index(
        int(numpy.nan_to_num(gap, nan=numpy.inf).argmax()), gap.shape
    )
    entry = tuple(int(i) for i in index)
    return Agreement(found, tensor, task, entry, float(got[index]), float(want[index]))
