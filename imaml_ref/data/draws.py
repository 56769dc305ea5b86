"""One random number generator per task."""

from typing import Any

import numpy

from ..arguments import whole
from .images import SPLITS


def task_generator(
    split: str, *, seed: int, step: int, task: int
) -> numpy.random.Generator:
    """Return the generator of one task: a pure function of (split, seed, step, task).

    The four numbers are hashed together (NumPy's ``SeedSequence``), so that streams are
    independent, and train, val and test never meet.

    Raises:
        ValueError: If there is no such split, or a number is negative.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; expected {', '.join(SPLITS)}")
    at = {"seed": seed, "step": step, "task": task}
    seed, *place = (whole(0)(name, number) for name, number in at.items())
    key = (SPLITS.index(split), *place)
    sequence = numpy.random.SeedSequence(seed, spawn_key=key)
    return numpy.random.Generator(numpy.random.PCG64(sequence))


def check_floating(dtype: Any) -> None:
    """Refuse a dtype in which inputs lose what they are.

    Raises:
        TypeError: If it is not a floating type.
    """
    if not numpy.issubdtype(dtype, numpy.inexact):
        raise TypeError(f"dtype must be a floating type, got {dtype}")
