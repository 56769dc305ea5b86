"""The mean over tasks: chunks in, one meta-gradient out.

Chunks of tasks are summed and dropped: memory does not grow with the number of tasks.
The sum runs in float64 in the order of the tasks, so that it has the same bits for any
number of chunks and threads.
"""

from collections.abc import Callable, Iterable, Sequence
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
    settle,
    value_of,
    waiting,
)
from ..data import TaskBatch
from .diagnostics import Diagnostics

Tasks = TaskBatch | Sequence[TaskBatch]


@dataclass(frozen=True, repr=False)
class MetaGradient(Brief):
    """A mean over tasks, and what was measured on the way.

    Args:
        grad: dF/dθ, (P,), in the dtype of θ.
        lam_grad: dF/dλ as in (7), a float for scalar λ, else (P,); None without a λ, or
            where the estimator has none.
        diagnostics: Per task, see ``Diagnostics``.  While readings wait, this and a
            scalar ``lam_grad`` are readings.
        phi: Solutions (T, P), if they were to be kept.
        task_grads: Meta-gradients g_t (T, P), if they were to be kept.
    """

    grad: Array
    lam_grad: Any
    diagnostics: Any
    phi: Array | None = None
    task_grads: Array | None = None


@dataclass(frozen=True)
class Chunk:
    """What one chunk of tasks contributes.

    Args:
        grads: g_t, (T, P).
        lam_grads: dQ_t/dλ, (T,) or (T, P); None where there is none.
        phi: (T, P), or None where nobody keeps it.
        diagnostics: Per task, or a reading of them.
        info: What the solver says, or a reading of it, or None without one.
    """

    grads: Array
    lam_grads: Array | None
    phi: Array | None
    diagnostics: Any
    info: Any = None


def kept_names(keep: Iterable[str]) -> set[str]:
    """Return the names of what is to be kept; a string is one name.

    Raises:
        ValueError: If one is unknown.
    """
    if not isinstance(keep, Iterable):
        raise ValueError(f"keep takes 'phi' and 'task_grads', got {brief(keep)}")
    keep = {keep} if isinstance(keep, str) else set(keep)
    if not keep <= {"phi", "task_grads"}:
        raise ValueError(f"keep takes 'phi' and 'task_grads', got {sorted(keep)}")
    return keep


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


def chunks(tasks: Tasks, theta: Array, phi=None):
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
        share = max(1, -(-len(batch) // num_workers()))  # work for all of them
        input_bytes = batch.support_x.nbytes // max(len(batch), 1)
        size = (
            min(chunk_size(len(theta), input_bytes), share) if on_host else len(batch)
        )
        for chunk in batch.chunks(size):
            stop = start + len(chunk)
            part = None if callable(phi) or phi is None else phi[start:stop]
            yield start, chunk, part
            start = stop


def each(f, items, theta: Array):
    """Yield f(item) for each item, in order: by several workers, if θ is on the host.

    A device has one queue, which belongs to one thread.
    """
    if array_module(theta) is numpy:
        return map_in_order(f, items)
    return (f(item) for item in items)


def read_together(compute: Callable[[], MetaGradient]) -> MetaGradient:
    """Return a meta-gradient with what it measured, brought over in one copy.

    Where readings wait already, its own wait with them.
    """
    if is_waiting():
        return compute()
    with waiting() as readings:
        found = compute()
    settle(readings)
    return replace(
        found,
        lam_grad=value_of(found.lam_grad),
        diagnostics=value_of(found.diagnostics),
    )


def gather(results: Iterable[Chunk], theta: Array, keep: set[str]) -> MetaGradient:
    """Return the mean over tasks, summed in float64 in the order of the tasks.

    Raises:
        ValueError: If there is no task.
    """
    xp = array_module(theta)
    wide = numpy.result_type(theta.dtype, numpy.float64)
    total, lam_total, parts = xp.zeros(theta.shape, wide), None, []
    phi, task_grads, count = [], [], 0
    for chunk in results:
        count += len(chunk.grads)
        total = plus_all(total, chunk.grads)
        lam_total = plus_rows(lam_total, chunk.lam_grads, wide)
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
    """Return dF/dλ in the form of λ: a number, (P,) in the dtype of θ, or None."""
    if total is None:
        return None
    mean = total / count
    return mean.astype(theta.dtype) if mean.ndim else read(methodcaller("item"), mean)
