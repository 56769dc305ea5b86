"""One random number generator per task, and tasks drawn one by one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy

from ..arguments import whole
from .images import SPLITS
from .tasks import TaskBatch


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


class Drawn(ABC):
    """A TaskSource whose tasks are drawn one by one, then made arrays together."""

    @abstractmethod
    def _draw(self, split: str, rng: numpy.random.Generator) -> Sequence[numpy.ndarray]:
        """Return what is drawn for one task of a split."""

    @abstractmethod
    def _batch(self, drawn: Sequence[numpy.ndarray], dtype: Any) -> TaskBatch:
        """Return tasks of ``dtype``, from what was drawn with a task axis in front."""

    def sample(
        self,
        split: str,
        *,
        seed: int,
        step: int,
        num_tasks: int,
        first: int = 0,
        dtype: Any = numpy.float32,
    ) -> TaskBatch:
        """Draw tasks ``first`` … ``first + num_tasks − 1`` of step ``step``.

        Returns:
            Tasks as the class says, inputs of ``dtype``.

        Raises:
            ValueError: If there is no such split, or num_tasks is below 1.
            TypeError: If ``dtype`` is not a floating type.
        """
        # In another type inputs would lose what they are.
        if not numpy.issubdtype(dtype, numpy.inexact):
            raise TypeError(f"dtype must be a floating type, got {dtype}")
        where = {"seed": seed, "step": step, "num_tasks": num_tasks, "first": first}
        return self._batch(self._drawn(split, **where), dtype)

    def _drawn(self, split, *, seed, step, num_tasks, first=0) -> list[numpy.ndarray]:
        """Return what is drawn for the tasks of ``sample``, a task axis in front."""
        tasks = (first + t for t in range(whole()("num_tasks", num_tasks)))
        rngs = (task_generator(split, seed=seed, step=step, task=t) for t in tasks)
        drawn = zip(*(self._draw(split, rng) for rng in rngs), strict=True)
        return [numpy.stack(part) for part in drawn]
