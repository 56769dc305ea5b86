"""What every inner optimiser shares: where it starts, and how it notices divergence.

An inner optimiser is anything with ``solve(objective, theta, start=None)`` that returns
φ (T, P), or a function of the same arguments: it minimises G(φ; θ) of (1) for every
task.  Anchor θ, starting point and solution are three separate things.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy

from ..arguments import having
from ..compute import (
    Array,
    array_module,
    check_array,
    is_waiting,
    norm,
    on_device,
    read,
    settling_in,
    to_host,
)

GROWTH = 1e3  # of ‖∇G‖, from the start of the inner loop to its end


class InnerDivergence(ArithmeticError):
    """The inner loop ran away.

    Args:
        message: What happened, and what helps.
        step: The first step at which it showed, counted from 0; None if not known.
        task: Which task it was, counted from 0; None if not known.
    """

    def __init__(self, message: str, step: int | None = None, task: int | None = None):
        super().__init__(message)
        self.step, self.task = step, task

    def __str__(self) -> str:
        where = "" if self.task is None else f"task {self.task}: "
        return where + super().__str__()


@contextmanager
def counting_from(first: int) -> Iterator[None]:
    """Let an error name its task by its place among all tasks, not in its chunk.

    Raises:
        InnerDivergence: The one that came, of task ``first`` + its own number.
    """
    with settling_in(partial(shifting, first)):
        yield


@contextmanager
def shifting(first: int) -> Iterator[None]:
    """Add ``first`` to the number of the task that an error names.

    Raises:
        InnerDivergence: The one that came.
    """
    try:
        yield
    except InnerDivergence as error:
        if error.task is not None:
            error.task += first
        raise


def check_inner(name: str, inner: Any) -> Any:
    """Return an inner optimiser, or a function in its place.

    Raises:
        ValueError: If it is neither.
    """
    if callable(inner) and not isinstance(inner, type):
        return inner
    return having("solve", "GradientDescent()")(name, inner)


def solve(inner: Any, objective, theta: Array, start: Array | None = None) -> Array:
    """Return φ (T, P) from an inner optimiser, or from a function of its arguments.

    Raises:
        ValueError: If what comes back is not of shape (T, P).
        TypeError: If it is no array, or not of the dtype of θ.
    """
    find = inner.solve if hasattr(inner, "solve") else inner
    # Overflow is looked for afterwards, and reported as an error with its cause.
    with numpy.errstate(over="ignore", invalid="ignore"):
        phi = find(objective, theta, start)
    check_array("φ, which the inner optimiser returns,", phi)
    expected = (len(objective), len(theta))
    if phi.shape != expected:
        raise ValueError(f"the inner optimiser returned φ {phi.shape}, not {expected}")
    if phi.dtype != theta.dtype:
        raise TypeError(
            f"the inner optimiser returned φ of dtype {phi.dtype}, not {theta.dtype}"
        )
    return phi


def starting_point(objective, theta: Array, start: Array | None) -> Array:
    """Return φ_0 (T, P): ``start``, or θ for every task."""
    xp, shape = array_module(theta), (len(objective), len(theta))
    if start is None:
        return xp.broadcast_to(theta, shape)
    # A copy: rows that share their memory say that this is θ.
    return xp.broadcast_to(start, shape).copy()


def check_progress(norms: list[Array], objective, phi_0: Array, advice: str) -> None:
    """Look at ‖∇G‖ of every step, each (T,), once the loop is over.

    Looking once keeps the loop free of waiting for a device.

    Args:
        norms: ‖∇G(φ_k)‖ for k = 0, 1, …
        objective: The proximal objective G.
        phi_0: Where the loop started, (T, P).
        advice: What helps against divergence.

    Raises:
        InnerDivergence: If a norm is not finite, or grew by more than ``GROWTH``.
    """
    if norms:
        table = array_module(*norms).stack(norms)
        scale: Any = scale_at(objective, phi_0)
        if on_device(phi_0) and is_waiting():
            # What the objective holds now may be gone when somebody looks.
            scale = numpy.zeros(1) if phi_0.strides[0] == 0 else scale()
        read(partial(refuse_growth, advice), table, scale)


def scale_at(objective, phi_0: Array) -> Callable[[], Array]:
    """Return a function that returns ‖∇L(φ_0)‖, (T,).

    From a solution ‖∇G‖ can only grow; the scale there is that of its two parts.  At θ
    one of them vanishes, and it says nothing new.
    """
    return lambda: norm(objective.linearize(phi_0).support.grad)


def refuse_growth(advice: str, table: numpy.ndarray, scale: Any) -> None:
    """Refuse norms (steps, T) that run away.

    Args:
        advice: What helps against divergence.
        table: ‖∇G(φ_k)‖.
        scale: Another scale for growth, (T,), or a function that returns one.

    Raises:
        InnerDivergence: Naming the first step, and there the first task.
    """
    wrong = ~numpy.isfinite(table)
    if not wrong.any() and (table[-1] > GROWTH * table[0]).any():
        parts = to_host(scale() if callable(scale) else scale)
        grown = table > GROWTH * numpy.maximum(table[0], parts)
        wrong = grown & grown[-1]
    if wrong.any():
        step, task = (int(i) for i in numpy.argwhere(wrong)[0])
        if step == 0:
            advice = "look for NaN and infinity in θ and in the data"
        raise InnerDivergence(
            f"inner solution diverged in step {step} "
            f"(‖∇G‖ {table[0, task]:.1e} → {table[step, task]:.1e}); {advice}",
            step,
            task,
        )
