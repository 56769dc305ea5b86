"""Numbers and a factor in front, by least squares, for one answer.

    got ≈ a · f(p),   a(p) = ⟨f(p), got⟩ / ⟨f(p), f(p)⟩

The factor a is eliminated (variable projection), so the search is over p alone: a grid
first, equally spaced in log p, then SciPy's least squares from the best of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy
from scipy.optimize import least_squares

from ..case import Array
from .family import Family

GRID = {1: 17, 2: 7, 3: 5}  # points in each direction
FLAT = 1e-7  # slope of the residual below which it is rounding
SOON, HOPELESS = 6, 0.03  # after so many steps the residual is that small, or it ends
STARTS = 2  # of the best points of the grid
GOOD = 1e-5  # relative residual at which a family fits; of single precision 1e-3
LEAST = 0.15  # the first step is as long: a longer one leaps over a kink
FAR = 0.7  # residual of a grid's best point from which nothing is refined


@dataclass(frozen=True)
class Fit:
    """What a family is at one answer.

    Args:
        values: Its real numbers.
        spread: Their uncertainties.
        factors: The factor in front; of a fit with another column, both.
        residual: What is left, relative.
        steps: Its whole number; 0 if it has none.
    """

    values: tuple[float, ...]
    spread: tuple[float, ...]
    factors: tuple[float, ...]
    residual: float
    steps: int = 0


def good(got: Array) -> float:
    """Return the residual below which something fits an answer."""
    return 1e-3 if got.dtype == numpy.float32 else GOOD


def projected(
    got: Array, columns: Sequence[Array], bound: bool = False
) -> tuple[Array, Array, float]:
    """Return factors, residual vector and its norm relative to the answer.

    Args:
        got: The answer.
        columns: What it is a sum of, each times a factor.
        bound: Whether the factors are 1.
    """
    A = numpy.stack([c.ravel() for c in columns], 1)
    b = got.ravel().astype(float)
    size = numpy.linalg.norm(b)
    norms = numpy.linalg.norm(A, axis=0)
    if not size or not (norms > 0).all() or not numpy.isfinite(A).all():
        return numpy.zeros(len(columns)), numpy.ones_like(b), 1.0
    if bound:
        a = numpy.ones(len(columns))
    elif len(columns) == 1:
        a = numpy.array([(A[:, 0] @ b) / norms[0] ** 2])
    else:
        a = numpy.linalg.lstsq(A / norms, b, rcond=1e-13)[0] / norms
    left = (b - A @ a) / size
    return a, left, float(numpy.linalg.norm(left))


def points(family: Family, facts: Mapping[str, float]) -> list[tuple[float, ...]]:
    """Return values to begin from: a grid, and of one number what facts make of it."""
    count = GRID[len(family.numbers)]
    found = list(product(*(n.grid(count) for n in family.numbers.values())))
    if len(family.numbers) == 1:
        (number,) = family.numbers.values()
        right = 1.0 if number.usual == "1" else facts.get(number.usual, 0.0)
        sizes = [facts[n] for n in ("T", "N", "M", "D", "λ") if n in facts]
        times = [2.0, *sizes, *(a / b for a in sizes for b in sizes if a > b)]
        found += [(right * c,) for t in times for c in (t, 1 / t) if right]
    return found


def minimise(columns, family: Family, lab: Any, verdict: Any) -> Fit | None:
    """Return the best fit over the numbers of a family."""
    got = lab.target(verdict)
    if not family.numbers:
        found = columns(())
        if found is None:
            return None
        a, _, left = projected(got, found, family.bound)
        return Fit((), (), tuple(a), left)
    scores = []
    for p in points(family, lab.facts(verdict)):
        found = columns(p)
        left = 2.0 if found is None else projected(got, found, family.bound)[2]
        scores.append((left, p))
    scores.sort(key=lambda s: s[0])
    tried = [
        refine(columns, family, p, got) for left, p in scores[:STARTS] if left < FAR
    ]
    best = [f for f in tried if f is not None]
    return min(best, key=lambda f: f.residual, default=None)


def refine(columns, family: Family, start: tuple[float, ...], got: Array):
    """Return the fit from a start, in the logarithms of the numbers.

    They are counted from no less than LEAST: at 0 steps relative to them vanish.
    """
    signs, q0 = numpy.sign(start), numpy.log(numpy.abs(start))
    first = numpy.maximum(LEAST, numpy.abs(q0))

    def values(q):
        return tuple(signs * numpy.exp(numpy.clip(q0 + q - first, -60, 60)))

    def residual(q):
        found = columns(values(q))
        return (
            numpy.ones(got.size)
            if found is None
            else projected(got, found, family.bound)[1]
        )

    with numpy.errstate(all="ignore"):
        try:
            # Differences of 1e-6 suffice: near the answer the residual is all but 0.
            out = least_squares(
                residual, first, diff_step=1e-6, xtol=1e-13, ftol=1e-15,
                gtol=1e-15, max_nfev=40,
            )  # fmt: skip
        except (ValueError, numpy.linalg.LinAlgError):
            return None
    found = columns(values(out.x))
    if found is None:
        return None
    a, _, left = projected(got, found, family.bound)
    spread = uncertainty(values(out.x), out.jac, max(left, 1e-13))
    return Fit(values(out.x), spread, tuple(a), left)


def uncertainty(values: Sequence[float], jac: Array, room: float) -> tuple[float, ...]:
    """Return how far each number may be off, if the residual may be off by so much.

    Infinite where a combination that it is in does not move the residual.

    Args:
        values: The numbers.
        jac: Derivatives of the residual in their logarithms.
        room: What the residual may be off by.
    """
    _, slopes, axes = numpy.linalg.svd(jac, full_matrices=False)
    found = []
    for i, value in enumerate(values):
        parts = [
            (room / s if s > FLAT else numpy.inf) * abs(axis[i])
            for s, axis in zip(slopes, axes, strict=True)
            if abs(axis[i]) > FLAT
        ]
        found.append(abs(value) * float(numpy.linalg.norm(parts)))
    return tuple(found)
