"""A batch of tasks: what every algorithm is fed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy

from ..arguments import Brief
from ..compute import Array, array_module, check_array


@dataclass(frozen=True, repr=False)
class TaskBatch(Brief):
    """T tasks of one size; the task axis comes first in every array.

    Args:
        support_x: Inputs of the inner loss, (T, N, ...), in the dtype of θ.
        support_y: Labels (T, N), integers, or targets (T, N, D).
        query_x: Inputs of the outer loss, (T, M, ...).
        query_y: Labels (T, M), or targets (T, M, D).

    Raises:
        TypeError: If one is no array.
        ValueError: If the arrays do not have the same number of tasks, or inputs and
            labels not the same number of examples.
    """

    support_x: Array
    support_y: Array
    query_x: Array
    query_y: Array

    def __post_init__(self):
        for f in fields(self):
            check_array(f.name, getattr(self, f.name))
        for x, y, axes in (
            (self.support_x, self.support_y, 2),
            (self.query_x, self.query_y, 2),
            (self.support_x, self.query_x, 1),
        ):
            if min(x.ndim, y.ndim) < 2 or x.shape[:axes] != y.shape[:axes]:
                raise ValueError(
                    "a TaskBatch expects inputs (T, N, ...) and labels (T, N), "
                    f"got {x.shape} and {y.shape}"
                )

    def __len__(self) -> int:
        return len(self.support_x)

    def __getitem__(self, tasks: slice) -> "TaskBatch":
        """Return the tasks of a slice, as views."""
        return self.map(lambda a: a[tasks])

    def map(self, f: Callable[[Array], Array]) -> "TaskBatch":
        """Return a batch of f(array) for each of the four arrays."""
        return TaskBatch(*(f(getattr(self, field.name)) for field in fields(self)))

    def check_finite(self) -> None:
        """Check that no input or target is NaN or infinite.

        Raises:
            ValueError: If one is; the array, the task and the first place are named.
        """
        for f in fields(self):
            array = getattr(self, f.name)
            xp = array_module(array)
            finite = xp.isfinite(array)
            if not finite.all():
                index = tuple(int(i[0]) for i in xp.nonzero(~finite))
                raise ValueError(
                    f"{f.name} of task {index[0]} is {array[index]} at {index}; "
                    "clean the data"
                )

    def chunks(self, size: int) -> Iterator["TaskBatch"]:
        """Yield the tasks in order, at most ``size`` at a time."""
        return (self[start : start + size] for start in range(0, len(self), size))


class TaskSource(Protocol):
    """Where tasks come from: a pure function of (split, seed, step, t)."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, such as (28, 28, 1)."""
        ...

    @property
    def num_outputs(self) -> int:
        """Number of ways, or dimension of a target."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of what the tasks are drawn from, hexadecimal."""
        ...

    @property
    def task(self) -> str:
        """What is learned: "classification" or "regression"."""
        ...

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

        Inputs (and targets of a regression) are of ``dtype``, labels int64.  Task t
        depends on (split, seed, step, t) alone: not on num_tasks, nor on what
        was drawn before.
        """
        ...


def draw(source: TaskSource, split: str, *, num_tasks: int, **where: Any) -> TaskBatch:
    """Draw tasks from a source that may be one's own.

    Args:
        source: Where they come from.
        split: Of which split.
        num_tasks: How many.
        where: The other arguments of ``TaskSource.sample``.

    Raises:
        ValueError: If they are not as many.
    """
    tasks = source.sample(split, num_tasks=num_tasks, **where)
    if len(tasks) != num_tasks:
        raise ValueError(
            f"{type(source).__name__}.sample must return num_tasks = {num_tasks} "
            f"tasks, got {len(tasks)}"
        )
    return tasks
