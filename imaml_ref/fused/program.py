"""NumPy calls on arrays that stay where they are: written once, run again and again.

A sweep over a network makes the same calls on the same shapes a hundred times.  Between
two of them Python slices, reshapes, looks names up and asks for memory, which takes
as long as many of the calls do.  A program keeps the calls, each with its arguments,
and running it is nothing but making them.
"""

from collections.abc import Callable

import numpy

from ..compute import Array
from .memory import zeros


class Program:
    """A list of calls, written by ``do`` and made by ``run``.

    Args:
        dtype: Of the arrays that ``array`` returns.
        keeps: Whether the arrays that earlier programs filled are still needed.
    """

    def __init__(self, dtype: numpy.dtype, keeps: bool = True):
        self.dtype, self.keeps = dtype, keeps
        self._calls: list[tuple[Callable, tuple]] = []

    def array(self, *shape: int) -> Array:
        """Return zeros that the calls may write to."""
        return zeros(shape, self.dtype)

    def bools(self, *shape: int) -> Array:
        """Return booleans that the calls may write to."""
        return zeros(shape, bool)

    def do(self, function: Callable, *arguments):
        """Write down a call; return its last argument, where the result will be."""
        self._calls.append((function, arguments))
        return arguments[-1] if arguments else None

    def run(self) -> None:
        """Make the calls."""
        for function, arguments in self._calls:
            function(*arguments)

    def __len__(self) -> int:
        return len(self._calls)
