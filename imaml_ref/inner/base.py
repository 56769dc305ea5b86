"""What every inner optimiser shares: where it starts, and how it notices divergence.

An inner optimiser is anything with ``solve(objective, theta, start=None)`` that returns
φ (T, P), or a function of the same arguments: it minimises G(φ; θ) of (1) for every
task.  Anchor θ, starting point and solution are three separate things.
"""

from typing import Any

import numpy

from ..backend import Array, array_module, to_host

GROWTH = 1e3  # of ‖∇G‖, from the start of the inner loop to its end


class InnerDivergence(ArithmeticError):
    """The inner loop ran away; ``step`` is the first step at which it showed."""

    def __init__(self, message: str, step: int | None = None):
        super().__init__(message)
        self.step = step


def solve(inner: Any, objective, theta: Array, start: Array | None = None) -> Array:
    """Return φ (T, P) from an inner optimiser, or from a function of its arguments.

    Raises:
        ValueError: If what comes back is not of shape (T, P).
        TypeError: If it is not of the dtype of θ.
    """
    find = inner.solve if hasattr(inner, "solve") else inner
    phi = find(objective, theta, start)
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
    source = theta if start is None else start
    return array_module(theta).broadcast_to(source, (len(objective), len(theta)))


def norm(a: Array) -> Array:
    """Return the norm over the last axis, of the real part: (T, P) -> (T,)."""
    return (a.real * a.real).sum(-1) ** 0.5


def check_progress(norms: list[Array], *, step_size: float) -> None:
    """Look at ‖∇G‖ of every step, each (T,), once the loop is over.

    Looking once keeps the loop free of waiting for a device.

    Raises:
        InnerDivergence: If a norm is not finite, or grew by more than ``GROWTH``.
    """
    if not norms:
        return
    table = to_host(array_module(*norms).stack(norms))
    finite = numpy.isfinite(table).all(1)
    if not finite.all():
        step = int(finite.argmin())
        raise InnerDivergence(_story(table, step, step_size), step)
    # A start at the solution leaves only rounding to compare with.
    floor = table.max() * numpy.finfo(table.dtype).eps ** 0.5
    if (table[-1] > GROWTH * table[0].clip(floor)).any():
        step = len(table) - 1
        raise InnerDivergence(_story(table, step, step_size), step)


def _story(table, step, step_size) -> str:
    """Say at which step, in which task, from what to what."""
    task = int(numpy.nan_to_num(table[step], nan=numpy.inf).argmax())
    return (
        f"inner solution of task {task} diverged in step {step} "
        f"(‖∇G‖ {table[0, task]:.1e} → {table[step, task]:.1e}); lower step_size below "
        f"2/(h_max + λ), now {step_size:g}"
    )
