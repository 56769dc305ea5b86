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


def agreement(case: Case, got: Array, want: Array, origin: Array | None) -> Agreement:
    """Compare an answer with the right one.

    Args:
        case: Whose it is.
        got: The answer, of the shape of ``want``.
        want: The right one.
        origin: Subtracted from both first, or None: an outer step is judged by how far
            it went, not by where it came from.
    """
    if origin is not None:
        got, want = got - origin.astype(got.dtype), want - origin
    found = [
        worst(part, piece, whole, name, task)
        for task, row, whole in rows(case, got, want)
        for name, part, piece in pieces(case, row, whole)
    ]
    return min(found, key=lambda a: a.digits)


def rows(case: Case, got: Array, want: Array) -> Iterator[tuple]:
    """Yield task, answer and right answer, along the task axis if there is one."""
    flat = (case.tensors and want.ndim == 1 and len(want) == case.net.layout.size) or (
        not case.tensors
    )
    if flat:
        yield None, got, want
    else:
        yield from ((t, got[t], want[t]) for t in range(len(want)))


def pieces(case: Case, got: Array, want: Array) -> Iterator[tuple]:
    """Yield name, answer and right answer of each tensor; a number is one."""
    if not case.tensors or want.ndim == 0:
        yield "", got, want
        return
    for tensor in case.tensors:
        where = tensor.where
        yield (
            tensor.name,
            got[where].reshape(tensor.shape),
            want[where].reshape(tensor.shape),
        )


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
