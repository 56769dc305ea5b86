"""The linear systems of L3, and how they are solved without rounding."""

from collections.abc import Iterator, Sequence

import numpy

from ..verify import rational
from .case import Case
from .grid import Grid
from .recipes import table


def systems() -> Iterator[Case]:
    """Yield the systems of recipes.toml, without answers; one of them has none."""
    grid = Grid(3)
    for name, recipe in table("recipes")["systems"].items():
        yield system(name, grid, **recipe)


def system(
    name: str,
    grid: Grid,
    *,
    title: str,
    diagonal: Sequence[float],
    mixed: bool = True,
    scale: float = 1.0,
    along: bool = False,
    refuse: str = "",
) -> Case:
    """Return a system with a right-hand side on the grid, times a power of two.

    Args:
        name: See ``Case``.
        grid: Where its numbers come from.
        title: See ``Case``.
        diagonal: d.
        mixed: Whether A is ``congruent`` to diag(d); else it is diag(d).
        scale: A power of two, times which b is.
        along: Whether b bᵀ is added to A = diag(d), so that b is an eigenvector if d is
            one number; b is then a multiple of 2⁻⁵.
        refuse: Why there is no trustworthy answer; empty where there is one.
    """
    d = numpy.array(diagonal)
    A = congruent(grid, len(d), d) if mixed else numpy.diag(d)
    b = grid.reals((len(A),)) * scale
    if along:
        b = grid.integers(-32, 32, (len(A),)) / 32
        A = A + numpy.outer(b, b)
    inputs = {"A": A, "b": b}
    return Case(name, title, inputs, refuse={"L3": refuse} if refuse else {})


def congruent(grid: Grid, n: int, d: numpy.ndarray) -> numpy.ndarray:
    """Return L diag(d) Lᵀ, L unit lower triangular with entries −¼, 0 and ¼."""
    L = numpy.tril(grid.integers(-1, 1, (n, n)), -1) / 4 + numpy.eye(n)
    return L @ numpy.diag(d) @ L.T


def exact_solution(A: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray:
    """Solve A x = b in rational arithmetic, A positive definite; round at the end."""
    exact = rational.solve(rational.exact(A), rational.exact(b))
    return exact.astype(float)
