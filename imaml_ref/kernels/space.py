"""Arrays that stay where they are, and what runs on them."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy

from ..backend import Array


class Space:
    """Arrays of one dtype on a machine, with launches on them and recordings of these.

    They live as long as the space; so does the memory it has to itself.

    Args:
        machine: A ``graphs.Cuda``, or what stands in for it.
        dtype: float32 or float64.
    """

    def __init__(self, machine: Any, dtype: numpy.dtype):
        self.machine, self.dtype = machine, dtype
        self._launcher, self._pool = machine.launcher(dtype), machine.pool()
        self.bind = self._launcher.bind
        self.launch = self._launcher

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Array:
        """Return zeros, of the dtype of the space or another."""
        with self._pool():
            return self._launcher.zeros(tuple(shape), dtype)

    def reserve(self, size: int) -> None:
        """Make room for so many entries, for ``scratch``."""
        self._scratch = self.zeros((size,))

    def scratch(self, shape: tuple[int, ...]) -> Array:
        """Return an array of a shape, in the place where all such arrays are."""
        return self._scratch[: prod(shape)].reshape(shape)

    def record(self, run: Callable[..., None]) -> Callable[[], None]:
        """Return the launches that ``run`` makes as one; it makes none itself."""
        return self.machine.record(run)
