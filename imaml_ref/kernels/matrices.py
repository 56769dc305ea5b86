"""Matrices in arrays, one for each task, and their products."""

from collections.abc import Callable
from typing import NamedTuple

from ..compute import Array

Write = Callable[..., None]


class Matrix(NamedTuple):
    """A matrix of each task; entry (i, j) of task t is t·task + i·row + j·col.

    Args:
        array: (T, ...); its first entry is entry (0, 0) of task 0.
        rows: Number of rows.
        cols: Number of columns.
        task: Entries from one task to the next.
        row: From one row to the next.
        col: From one column to the next.
    """

    array: Array
    rows: int
    cols: int
    task: int
    row: int
    col: int = 1

    @property
    def T(self) -> "Matrix":
        """The transpose: nothing moves."""
        array, rows, cols, task, row, col = self
        return Matrix(array, cols, rows, task, col, row)


Pair = tuple[Matrix, Matrix]


def rows_of(array: Array, cols: int) -> Matrix:
    """View a contiguous array (T, ...) as rows of so many columns."""
    size = array.size // len(array)
    return Matrix(array, size // cols, cols, size, cols)


def kernel_of(parameter: Array, cols: int, num_parameters: int) -> Matrix:
    """View a kernel, entries (T, n) of a flat (T, P) array, as W with C_out columns."""
    return Matrix(parameter, parameter.shape[1] // cols, cols, num_parameters, cols)


def strides(**operands: Matrix) -> dict[str, int]:
    """Return the strides of operands by the names that a kernel has for them."""
    return {
        f"{name}_{along}": getattr(operand, along)
        for name, operand in operands.items()
        for along in ("task", "row", "col")
    }


def product(do: Write, A: Matrix, B: Matrix, C: Matrix) -> None:
    """Write C = A B, by ``do`` or ``aside`` of a program."""
    do(
        "bmm",
        A=A.array,
        B=B.array,
        C=C.array,
        tasks=len(C.array),
        m=A.rows,
        n=B.cols,
        k=A.cols,
        **strides(a=A, b=B),
        c_task=C.task,
        c_row=C.row,
        beta=0.0,
    )


def product_pair(do: Write, first: Pair, second: Pair, C: Matrix) -> None:
    """Write C = A B + D E for the pairs (A, B) and (D, E), in one pass."""
    (A, B), (D, E) = first, second
    do(
        "bmm_pair",
        A=A.array,
        B=B.array,
        D=D.array,
        E=E.array,
        C=C.array,
        tasks=len(C.array),
        m=A.rows,
        n=B.cols,
        k=A.cols,
        k2=D.cols,
        **strides(a=A, b=B, d=D, e=E),
        c_task=C.task,
        c_row=C.row,
    )
