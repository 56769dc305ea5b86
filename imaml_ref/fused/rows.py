"""Rows and channels as NumPy likes them: long inner loops, sums as products.

An operation between (T, R, C) and one row per task runs R inner loops of C entries,
and with C = 64 their starting takes longer than their work.  With g rows side by side,
(T, R/g, g·C), and the row g times over, there are R/g loops of g·C entries.

A mean over rows comes out of two products with constants, tiled already:

    (T, R/g, g·C)  →  ones · a  →  (T, g, C)  →  (1/R) · ones(g, g) · that           (1)

so that whatever is computed from means and a parameter (T, 1, C) has the form (T, g, C)
and lines up with the big arrays as a view.
"""

from numpy import full, matmul, ones

from ..compute import Array
from .program import Program

WIDTH = 512  # entries of an inner loop, at most


class Rows:
    """R rows of C channels, g of them side by side; the largest g that divides R.

    Args:
        tasks: T.
        count: R.
        channels: C.
        dtype: Of the arrays to come.
    """

    def __init__(self, tasks: int, count: int, channels: int, dtype):
        self.tasks, self.count, self.channels = tasks, count, channels
        most = max(1, WIDTH // channels)
        self.g = max(g for g in range(1, most + 1) if count % g == 0)
        self._ones = ones((1, count // self.g), dtype)
        self._average = full((self.g, self.g), 1 / count, dtype)

    def array(self, program: Program) -> Array:
        """Return an array of all rows, tiled: (T, R/g, g·C)."""
        return program.array(self.tasks, self.count // self.g, self.g * self.channels)

    def row(self, program: Program) -> Array:
        """Return an array of g equal rows, (T, g, C)."""
        return program.array(self.tasks, self.g, self.channels)

    def rows(self, a: Array) -> Array:
        """View a tiled array as (T, R, C)."""
        return a.reshape(self.tasks, self.count, self.channels)

    def mean(self, program: Program, a: Array, out: Array | None = None) -> Array:
        """Write the mean over rows (1) of a tiled array, (T, g, C)."""
        out = self.row(program) if out is None else out
        sums = program.array(self.tasks, 1, self.g * self.channels)
        program.do(matmul, self._ones, a, sums)
        return program.do(matmul, self._average, sums.reshape(out.shape), out)


def wide(row: Array) -> Array:
    """Line (T, g, C) up with (T, R/g, g·C): (T, 1, g·C), a view."""
    return row.reshape(len(row), 1, -1)
