"""Matrix products of the sizes that occur, cut where the BLAS is faster for it.

OpenBLAS multiplies matrices with up to a million multiply-adds without copying them
into a layout of its own first.  A product with few columns and many rows, or one with
a short inner dimension, gains from being cut into such pieces.  Which entries are
multiplied and in which order an entry is summed is not changed where rows or columns
of the result are cut; where the sum is cut, its parts are added at the end.
"""

from numpy import add, matmul

from ..compute import Array
from .program import Program

SMALL = 1_000_000  # multiply-adds
STRIPE = (
    96  # columns of A in a piece of Aᵀ B, at least: narrower ones read A in splinters
)
ROWS = 16  # of A in a piece of A B, at least: fewer leave the instructions idle
MOST = 64  # pieces


def pieces_of(count: int, each: int, least: int = 1) -> int:
    """Return into how many equal pieces to cut ``count`` rows of so many multiply-adds.

    The fewest that are small, of at least so many rows; 1 where there is no such cut.
    """
    for pieces in range(1, min(MOST, count // least) + 1):
        if count % pieces == 0 and count // pieces * each <= SMALL:
            return pieces
    return 1


def rows_product(program: Program, A: Array, B: Array, out: Array) -> Array:
    """Write A B for A (T, R, K), cut along R."""
    tasks, rows, length = A.shape
    pieces = pieces_of(rows, length * B.shape[-1], ROWS)
    parts = out.reshape(tasks, pieces, -1, B.shape[-1])
    program.do(matmul, A.reshape(tasks, pieces, -1, length), B[:, None], parts)
    return out


def gram_product(program: Program, A: Array, B: Array, out: Array) -> Array:
    """Write Aᵀ B for A (T, R, K) with a small K: the sum over R is cut."""
    tasks, rows, length = A.shape
    pieces = pieces_of(rows, length * B.shape[-1])
    parts = program.array(tasks, pieces, length, B.shape[-1])
    A = A.reshape(tasks, pieces, -1, length).swapaxes(2, 3)
    program.do(matmul, A, B.reshape(tasks, pieces, -1, B.shape[-1]), parts)
    program.do(add.reduce, parts, 1, None, out)
    return out


def stripes_product(program: Program, A: Array, B: Array, out: Array) -> Array:
    """Write Aᵀ B for A (T, R, K) with a large K, cut along K."""
    tasks, rows, length = A.shape
    pieces = pieces_of(length, rows * B.shape[-1], STRIPE)
    A = A.reshape(tasks, rows, pieces, -1).transpose(0, 2, 3, 1)
    program.do(matmul, A, B[:, None], out.reshape(tasks, pieces, -1, B.shape[-1]))
    return out
