"""The linear systems of L3, and how they are solved without rounding."""

from collections.abc import Iterator

import numpy

from ..verify import rational
from .case import Case
from .grid import Grid


def systems() -> Iterator[Case]:
    """Yield the systems, without answers; one of them has none."""
    grid = Grid(3)
    yield system(
        "identity", "A = I: one step, and it must be kept.", numpy.eye(5), grid
    )
    yield system("one-unknown", "n = 1.", numpy.array([[0.375]]), grid)
    repeated = numpy.diag([2.0, 2, 2, 5, 5, 5])
    yield system(
        "two-eigenvalues",
        "Two distinct eigenvalues: CG ends after two steps, by luck or by rule.",
        repeated,
        grid,
    )
    yield from conditioned(grid)
    A = congruent(grid, 6, 2.0 ** numpy.arange(6) / 4)
    yield system(
        "tiny-right-hand-side",
        "b of size 1e-9: tolerances must be relative to it.",
        A,
        grid,
        scale=2.0**-30,
    )
    yield system(
        "large-right-hand-side",
        "b of size 1e6.",
        congruent(grid, 6, 2.0 ** numpy.arange(6) / 4),
        grid,
        scale=2.0**20,
    )
    yield system(
        "indefinite",
        "A negative eigenvalue: CG has no right to an answer.",
        congruent(grid, 6, numpy.array([1.0, 2, 4, -0.5, 1, 3])),
        grid,
        refuse="A is not positive definite",
    )


def conditioned(grid: Grid) -> Iterator[Case]:
    """Yield positive definite systems of condition numbers about 10, 1e3 and 1e6."""
    for name, powers in (
        ("10", (0, 1, 0, 1, 2, 1, 0)),
        ("1e3", (-2, 4, 0, 1, 7, -1, 2)),
        ("1e6", (-6, 7, 0, 3, 13, -3, 5)),
    ):
        A = congruent(grid, 7, 2.0 ** numpy.array(powers))
        title = f"Positive definite, condition number about {name}."
        yield system(f"spd-{name}", title, A, grid)


def congruent(grid: Grid, n: int, d: numpy.ndarray) -> numpy.ndarray:
    """Return L diag(d) Lᵀ, L unit lower triangular with entries −¼, 0 and ¼."""
    L = numpy.tril(grid.integers(-1, 1, (n, n)), -1) / 4 + numpy.eye(n)
    return L @ numpy.diag(d) @ L.T


def system(name, title, A, grid, *, scale=1.0, refuse="") -> Case:
    """Return a system with a right-hand side on the grid, times a power of two."""
    b = grid.reals((len(A),)) * scale
    inputs = {"A": A, "b": b}
    return Case(name, title, inputs, refuse={"L3": refuse} if refuse else {})


def exact_solution(A: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray:
    """Solve A x = b in rational arithmetic, A positive definite; round at the end."""
    exact = rational.solve(rational.exact(A), rational.exact(b))
    return exact.astype(float)
