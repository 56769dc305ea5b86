"""How good a meta-parameter is: adapt to tasks never seen, and look at their queries.

Two accuracies, because batch normalisation makes them differ.  *Transductive*: the
query images of a task are normalised together, as in training, so each sees the others.
*Per example*: every query image is normalised alone; there is none where a network then
sees nothing.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy

from ..arguments import having, truth, whole
from ..compute import (
    Array,
    array_module,
    check_array,
    on_device,
    read,
    read_together,
)
from ..data import TaskBatch, TaskSource, draw
from ..meta_gradients import check_labels, each_chunk
from ..networks import blind_layer, context_for, logits_alone, why_blind
from .intervals import ci95, mean

CHUNK = 64  # tasks adapted at a time: bounds the memory, changes no result


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What ``evaluate`` measured, per task and in the mean.

    Args:
        split: The split that the tasks came from.
        losses: Query loss of each task, (num_tasks,).
        accuracies: Transductive accuracy of each task, a fraction, (num_tasks,); None
            for a regression.
        accuracies_per_example: The same with every query image normalised alone.
        labels: The labels of the queries, if they are integers, (num_tasks, N).
        guesses: What the queries are taken for, outputs, (num_tasks, N).
        guesses_per_example: The same with every query image normalised alone.
    """

    split: str
    losses: numpy.ndarray
    accuracies: numpy.ndarray | None = None
    accuracies_per_example: numpy.ndarray | None = None
    labels: numpy.ndarray | None = None
    guesses: numpy.ndarray | None = None
    guesses_per_example: numpy.ndarray | None = None

    def __repr__(self) -> str:
        found = self.as_dict(self.split)  # means first: of many tasks each says little
        means = [
            (n, found[n], found[f"{n}_ci95"]) for n in found if n + "_ci95" in found
        ]
        said = "".join(f", {n}={mean:.4g} ± {ci:.2g}" for n, mean, ci in means)
        return f"Evaluation(num_tasks={self.num_tasks}{said})"

    @property
    def num_tasks(self) -> int:
        """Number of tasks."""
        return len(self.losses)

    @property
    def score(self) -> float:
        """Mean accuracy, or minus the mean loss of a regression: larger is better."""
        return -self.loss if self.accuracies is None else self.accuracy

    @property
    def score_ci95(self) -> float:
        """Half-width of the 95 % interval of ``score``."""
        return ci95(self.losses if self.accuracies is None else self.accuracies)

    @property
    def loss(self) -> float:
        """Mean query loss."""
        return float(self.losses.mean())

    @property
    def loss_ci95(self) -> float:
        """Half-width of its 95 % interval over tasks."""
        return ci95(self.losses)

    @property
    def accuracy(self) -> float:
        """Mean transductive accuracy, a fraction; NaN for a regression."""
        return mean(self.accuracies)

    @property
    def accuracy_ci95(self) -> float:
        """Half-width of its 95 % interval over tasks."""
        return ci95(self.accuracies)

    @property
    def accuracy_per_example(self) -> float:
        """Mean accuracy with every query image normalised alone."""
        return mean(self.accuracies_per_example)

    @property
    def accuracy_per_example_ci95(self) -> float:
        """Half-width of its 95 % interval over tasks."""
        return ci95(self.accuracies_per_example)

    def as_dict(self, prefix: str) -> dict[str, Any]:
        """Return the means and their intervals by name, for a summary."""
        measured = {
            "loss": self.losses,
            "accuracy": self.accuracies,
            "accuracy_per_example": self.accuracies_per_example,
        }
        found: dict[str, Any] = {f"{prefix}_tasks": self.num_tasks}
        for name, per_task in measured.items():
            if per_task is not None:
                found[f"{prefix}_{name}"] = mean(per_task)
                found[f"{prefix}_{name}_ci95"] = ci95(per_task)
        return found


def evaluate(
    algorithm,
    theta: Array,
    source: TaskSource,
    *,
    split: str = "test",
    num_tasks: int = 2000,
    seed: int = 0,
    per_example: bool = True,
    observe: Callable[[int], None] | None = None,
) -> Evaluation:
    """Adapt to tasks of a split and measure their queries.

    Task t is the same for every algorithm and θ: a pure function of (split, seed, t).

    Args:
        algorithm: Anything with ``adapt(theta, x, y)`` → φ (T, P), and ``loss``.
        theta: (P,).
        source: Where the tasks come from.
        split: ``"train"``, ``"val"`` or ``"test"``.
        num_tasks: How many.
        seed: Seed of the tasks.
        per_example: Whether to measure the per-example accuracy too, if there is one;
            else a warning names the layer that sees nothing.
        observe: Called after each chunk with the number of tasks done.

    Raises:
        TypeError: If θ is no array.
        ValueError: If there is to be no task, algorithm or source is something else, or
            the source returns other than so many tasks of finite inputs.
    """
    having("adapt", "IMAML(loss)")("algorithm", algorithm)
    having("sample", "data.Sinusoids()")("source", source)
    check_array("θ", theta)
    num_tasks = whole()("num_tasks", num_tasks)
    per_example = truth("per_example", per_example)
    if per_example and (layer := blind_layer(algorithm.loss.net)):
        warnings.warn(
            f"there is no accuracy per example: {why_blind(layer)}; take larger images "
            "or a network with fewer strides",
            stacklevel=2,
        )
        per_example = False
    parts, source = [], near(theta, source)
    for first in range(0, num_tasks, CHUNK):
        tasks = draw(
            source,
            split,
            seed=seed,
            step=0,
            first=first,
            num_tasks=min(CHUNK, num_tasks - first),
            dtype=theta.dtype,
        )
        if not on_device(tasks.support_x):
            tasks.check_finite()
        tasks = beside(theta, tasks)
        measured = partial(measure, algorithm, theta, tasks, per_example)
        parts.append(read_together(measured))
        if observe is not None:
            observe(first + len(tasks))
    return Evaluation(split, *joined(*parts))


def measure(algorithm, theta: Array, tasks: TaskBatch, per_example: bool) -> Any:
    """Return what an Evaluation has of a chunk of tasks, arrays (T, ...) or None.

    While readings wait, it is a reading of them.
    """
    phi = algorithm.adapt(theta, tasks.support_x, tasks.support_y)

    def of_chunk(chunk: TaskBatch, phi: Array) -> Any:
        return query_scores(algorithm.loss, phi, chunk, per_example)

    return read(joined, *each_chunk(of_chunk, tasks, theta, phi))


def query_scores(task_loss, phi: Array, tasks: TaskBatch, per_example: bool) -> Any:
    """Return what an Evaluation has at φ (T, P), or a reading of it."""
    net, loss = task_loss.net, task_loss.loss
    x, y = tasks.query_x, tasks.query_y
    check_labels(task_loss, y)
    context = context_for(net, tasks.support_x)
    outputs = net.logits(phi, x, **context)
    value, _ = loss.forward(outputs, y)
    together = loss.accuracy(outputs, y)
    alone = labels = said = said_alone = None
    if together is not None:
        labels, said = (y if y.dtype.kind in "iu" else None), outputs.real.argmax(-1)
    if per_example and together is not None:
        outputs = logits_alone(net, phi, x, **context)
        alone, said_alone = loss.accuracy(outputs, y), outputs.real.argmax(-1)
    return read(lambda *found: found, value, together, alone, labels, said, said_alone)


def beside(theta: Array, tasks: TaskBatch) -> TaskBatch:
    """Return the tasks where θ is: on the host, or on its device."""
    xp = array_module(theta)
    return TaskBatch(*(xp.asarray(getattr(tasks, f.name)) for f in fields(tasks)))


def near(theta: Array, source: TaskSource) -> TaskSource:
    """Return a source whose tasks come from where θ is, if it has such a form."""
    return getattr(source, "resident", source) if on_device(theta) else source


def joined(*parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the columns of parts, each concatenated; None where there is nothing."""
    columns = zip(*parts, strict=True)
    return tuple(None if c[0] is None else numpy.concatenate(c) for c in columns)
