"""What a task is worth without learning: the exam of the exam."""

import numpy

from ..arguments import whole
from .tasks import TaskBatch, TaskSource


def nearest_neighbour_accuracy(tasks: TaskBatch) -> numpy.ndarray:
    """Classify each query by the nearest support image, by distance in pixels.

    Args:
        tasks: Classification tasks, inputs (T, N, ...) and labels (T, N).

    Returns:
        Fraction of the queries that get their label, (T,).
    """
    support = tasks.support_x.reshape(*tasks.support_x.shape[:2], -1)
    query = tasks.query_x.reshape(*tasks.query_x.shape[:2], -1)
    # ‖q − s‖² without ‖q‖², which is the same for every s
    distance = (support**2).sum(-1)[:, None] - 2 * query @ support.swapaxes(1, 2)
    nearest = distance.argmin(-1)
    guess = numpy.take_along_axis(tasks.support_y, nearest, axis=1)
    return (guess == tasks.query_y).mean(-1)


def nearest_neighbour(
    source: TaskSource,
    split: str = "test",
    *,
    seed: int,
    step: int = 0,
    num_tasks: int,
) -> numpy.ndarray:
    """Return nearest_neighbour_accuracy (num_tasks,) on tasks of a source.

    Raises:
        ValueError: If there is to be no task.
    """
    num_tasks = whole()("num_tasks", num_tasks)
    size = 100  # tasks at a time, which bounds the memory
    return numpy.concatenate(
        [
            nearest_neighbour_accuracy(
                source.sample(
                    split,
                    seed=seed,
                    step=step,
                    first=first,
                    num_tasks=min(size, num_tasks - first),
                )
            )
            for first in range(0, num_tasks, size)
        ]
    )
