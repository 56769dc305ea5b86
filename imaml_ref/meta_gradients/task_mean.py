"""The mean over tasks: chunks in, one meta-gradient out.

Chunks of tasks are summed and dropped: memory does not grow with the number of tasks.
The sum runs in float64 in the order of the tasks, so that it has the same bits for any
number of chunks and threads.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any

import numpy

from ..arguments import Brief, brief
from ..compute import (
    Array,
    array_module,
    chunk_size,
    is_waiting,
    map_in_order,
    num_workers,
    read,
    read_together,
    value_of,
)
from ..data import TaskBatch
from ..inner import counting_from
from .diagnostics import Diagnostics
from .objective import ProximalObjective, check_labels

Tasks = TaskBatch | Sequence[TaskBatch]


@dataclass(frozen=True, repr=False)
class MetaGradient(Brief):
    """A mean over tasks, and what was measured on the way.

    Args:
        grad: dF/dθ, (P,), in the dtype of θ.
        lam_grad: dF/dλ as in (7), a float for scalar λ, else (P,); None without a λ, or
            where the estimator has none.
        diagnostics: Per task, see ``Diagnostics``.  While readings wait, this, a
            scalar ``lam_grad`` and a scalar ``alpha_grad`` are readings.
        phi: Solutions (T, P), if they were to be kept.
        task_grads: Meta-gradients g_t (T, P), if they were to be kept.
        alpha_grad: dF/dα as in (17), a float or in the shape of the step size; None
            where the estimator has none.
    """

    grad: Array
    lam_grad: Any
    diagnostics: Any
    phi: Array | None = None
    task_grads: Array | None = None
    alpha_grad: Any = None


@dataclass(frozen=True)
class Chunk:
    """What one chunk of tasks contributes.

    Args:
        grads: g_t, (T, P).
        lam_grads: dQ_t/dλ, (T,) or (T, P); None where there is none.
        phi: (T, P), or None where nobody keeps it.
        diagnostics: Per task, or a reading of them.
        info: What the solver says, or a reading of it, or None without one.
        alpha_grads: dQ_t/dα, (T,), (T, L) or (T, P), or None.
    """

    grads: Array
    lam_grads: Array | None
    phi: Array | None
    diagnostics: Any
    info: Any = None
    alpha_grads: Array | None = None


def kept_names(keep: Iterable[str]) -> set[str]:
    """Return the names of what is to be kept; a string is one name.

    Raises:
        ValueError: If one is unknown.
    """
    keep = [keep] if isinstance(keep, str) else keep
    found = set(keep) if isinstance(keep, Iterable) else {keep}
    if not found <= {"phi", "task_grads"}:
        raise ValueError(f"keep takes 'phi' and 'task_grads', got {brief(keep)}")
    return found


def batches(tasks: Tasks) -> list[TaskBatch]:
    """Return tasks as a list of batches, each of one size.

    Raises:
        TypeError: If they are something else.
    """
    found = [tasks] if isinstance(tasks, TaskBatch) else tasks
    listed = list(found) if isinstance(found, Iterable) else [found]
    if not all(isinstance(batch, TaskBatch) for batch in listed):
        raise TypeError(
            f"tasks must be a TaskBatch, or a list of them, got {brief(tasks)}"
        )
    return listed


def chunks(tasks: Tasks, theta: Array, phi: Array | None = None):
    """Yield where a chunk starts, the chunk, and its part of φ, in order.

    On a device all tasks of a batch are one chunk: it has parallelism of its own.

    Raises:
        ValueError: If θ is not a vector.
    """
    if theta.ndim != 1:
        raise ValueError(f"theta expects shape (P,), got {theta.shape}")
    on_host = array_module(theta) is numpy
    start = 0
    for batch in batches(tasks):
        size = max(1, len(batch))
        if on_host:
            share = -(-size // num_workers())  # work for all of them
            size = min(chunk_size(len(theta), batch.support_x.nbytes // size), share)
        for chunk in batch.chunks(size):
            stop = start + len(chunk)
            yield start, chunk, None if phi is None else phi[start:stop]
            start = stop


def each_chunk(f: Callable, tasks: Tasks, theta: Array, phi: Array | None = None):
    """Yield f(chunk, its part of φ) for each chunk of tasks, in order.

    If θ is on the host, by several workers; a device has one queue, which belongs to
    one thread.  Errors count tasks from the first of all.
    """

    def counted(numbered):
        first, chunk, part = numbered
        with counting_from(first):
            return f(chunk, part)

    numbered = chunks(tasks, theta, phi)
    if array_module(theta) is numpy:
        return map_in_order(counted, numbered)
    return (counted(chunk) for chunk in numbered)


def mean_gradient(
    loss,
    theta: Array,
    tasks: Tasks,
    lam,
    of_chunk: Callable[..., Chunk],
    keep: Iterable[str],
    *,
    phi: Array | None = None,
    approved: Callable[[Iterator[Chunk]], Iterator[Chunk]] = iter,
) -> MetaGradient:
    """Return the mean over tasks of what a function makes of each chunk.

    What was measured comes over in one copy; where readings wait already, its own wait
    with them.

    Args:
        loss: As in ``implicit_gradient``.
        theta: Meta-parameters θ, (P,).
        tasks: A batch of tasks, or a list of batches.
        lam: λ as ``proximal_strength`` returns it, or 0 for no proximal term.
        of_chunk: Takes the proximal objective of a chunk, the chunk, and its part of φ.
        keep: "phi" and "task_grads", to have them in the result.
        phi: Solutions (T, P), if somebody has found them.
        approved: Looks at the chunks before they count.
    """
    keep = kept_names(keep)

    def on_chunk(chunk: TaskBatch, found: Array | None) -> Chunk:
        check_labels(loss, chunk.support_y, chunk.query_y)
        support = chunk.support_x, chunk.support_y
        objective = ProximalObjective(loss, theta, *support, lam)
        result = of_chunk(objective, chunk, found)
        # What nobody keeps need not travel from process to process.
        return result if "phi" in keep else replace(result, phi=None)

    def compute() -> MetaGradient:
        with closing(each_chunk(on_chunk, tasks, theta, phi)) as results:
            return gather(approved(results), theta, keep)

    if is_waiting():
        return compute()
    out = read_together(compute)
    readings = ("lam_grad", "alpha_grad", "diagnostics")
    return replace(out, **{name: value_of(getattr(out, name)) for name in readings})


def gather(results: Iterable[Chunk], theta: Array, keep: set[str]) -> MetaGradient:
    """Return the mean over tasks, summed in float64 in the order of the tasks.

    Raises:
        ValueError: If there is no task.
    """
    xp = array_module(theta)
    wide = numpy.result_type(theta.dtype, numpy.float64)
    total, lam_total, alpha_total = xp.zeros(theta.shape, wide), None, None
    parts, phi, task_grads, count = [], [], [], 0
    for chunk in results:
        count += len(chunk.grads)
        total = plus_all(total, chunk.grads)
        lam_total = plus_rows(lam_total, chunk.lam_grads, wide)
        alpha_total = plus_rows(alpha_total, chunk.alpha_grads, wide)
        parts.append(chunk.diagnostics)
        phi += [chunk.phi] if "phi" in keep else []
        task_grads += [chunk.grads] if "task_grads" in keep else []
    if not parts:
        raise ValueError("expected at least one task, got none")
    return MetaGradient(
        (total / count).astype(theta.dtype),
        lam_mean(lam_total, count, theta),
        read(lambda *parts: Diagnostics.joined(list(parts)), *parts),
        xp.concatenate(phi) if phi else None,
        xp.concatenate(task_grads) if task_grads else None,
        lam_mean(alpha_total, count, theta),
    )


def plus_all(total: Array, rows: Array) -> Array:
    """Return a total plus rows one by one in its dtype; the total may be reused."""
    if array_module(total) is not numpy:
        return total + rows.sum(0, dtype=total.dtype)
    for row in rows:
        total += row
    return total


def plus_rows(total, rows, dtype):
    """Return a total, or None, plus rows one by one in a dtype; no rows may be None."""
    if rows is not None and array_module(rows) is not numpy:
        rows = rows.sum(0, keepdims=True, dtype=dtype)
    for row in () if rows is None else rows.astype(dtype):
        total = row if total is None else total + row
    return total


def lam_mean(total, count: int, theta: Array):
    """Return dF/dλ or dF/dα, a number, or an array in the dtype of θ; or None."""
    if total is None:
        return None
    mean = total / count
    return mean.astype(theta.dtype) if mean.ndim else read(methodcaller("item"), mean)
