"""Fit a family to one answer: its numbers and a factor in front, by least squares.

    got ≈ a · f(p),   a(p) = ⟨f(p), got⟩ / ⟨f(p), f(p)⟩

The factor a is eliminated (variable projection), so the search is over p alone: a grid
first, equally spaced in log p, then SciPy's least squares from the best of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy
from scipy.optimize import least_squares

from ..case import Array
from .family import Family

GRID = {1: 17, 2: 7, 3: 5}  # points in each direction
BRANCHES = 2  # numbers of steps for which a fit is refined
WALK = 10  # and how far the search goes from there
FLAT = 1e-7  # slope of the residual below which it is rounding
SOON, HOPELESS = 6, 0.03  # after so many steps the residual is that small, or it ends
STARTS = 2  # of the best points of the grid
GOOD = 1e-5  # relative residual at which a family fits; of single precision 1e-3
EXTRA = 1e-2  # residual on the grid above which there is no use in refining, per number


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


def usual(family: Family, values: Sequence[float], facts: Any) -> bool:
    """Whether a number of a family is what is right: then it is another mistake."""
    for number, x in zip(family.numbers.values(), values, strict=True):
        if number.usual == "0" and abs(x) <= 1.01 * number.low:
            return True
        right = 1.0 if number.usual == "1" else facts.get(number.usual)
        if right is not None and abs(x - right) < 1e-6 * right:
            return True
    return False


def fit(
    family: Family,
    lab: Any,
    verdict: Any,
    others: Sequence[Array] = (),
    hints: Sequence[Fit] = (),
) -> list[Fit]:
    """Return the fits of a family at an answer, the best first; none if none is good.

    Args:
        family: The family.
        lab: Where it finds the case.
        verdict: The answer.
        others: Columns that may be added to what it gives, each with its factor.
        hints: Fits at another answer, from which the search begins.
    """
    got = lab.target(verdict)
    if got.size <= len(family.numbers) + 1 + len(others):
        return []
    if family.cheap is not None and not family.cheap(lab, verdict):
        return []
    facts = lab.facts(verdict)
    if family.steps:
        found = fit_steps(family, lab, verdict, others, hints)
        return [f for f in found if not usual(family, f.values, facts)]

    def columns(p):
        found = family.at(lab, verdict, *p)
        return None if found is None else [found, *others]

    near = [refine(columns, family, h.values, got) for h in hints if h.values]
    close = [f for f in near if f is not None and f.residual <= good(got)]
    best = close[0] if close else minimise(columns, family, lab, verdict)
    if best is None or best.residual > good(got) or usual(family, best.values, facts):
        return []
    return [best]


def fit_steps(
    family: Family, lab: Any, verdict: Any, others: Sequence[Array], hints=()
) -> list[Fit]:
    """Return the good fits after 1, 2, … steps."""
    got, found = lab.target(verdict), []
    if not family.numbers:
        path = family.at(lab, verdict) or []
        for k, answer in enumerate(path, 1):
            a, _, left = projected(got, [answer, *others], family.bound)
            if left <= good(got):
                found.append(Fit((), (), tuple(a), left, k))
        return found
    starts = [(h.steps, h.values) for h in hints]

    def refined(k: int, p: tuple[float, ...]) -> Fit | None:
        def columns(q):
            path = family.at(lab, verdict, *q)
            return None if path is None or len(path) < k else [path[k - 1], *others]

        best = refine(columns, family, p, got)
        return None if best is None else replace(best, steps=k)

    tried: dict[int, Fit | None] = {}
    for k, p in starts or on_grid(family, lab, verdict, others):
        one = refined(k, p)
        if one is not None and (
            tried.get(k) is None or one.residual < tried[k].residual
        ):
            tried[k] = one
    # What is left falls towards the right number of steps from both sides.
    for _ in range(0 if hints else WALK):
        known = {k: f for k, f in tried.items() if f is not None}
        if not known:
            break
        k = min(known, key=lambda k: known[k].residual)
        new = [n for n in (k - 1, k + 1) if n > 0 and n not in tried]
        if not new or known[k].residual <= good(got):
            break
        for n in new:
            tried[n] = refined(n, known[k].values)
    fits = [f for f in tried.values() if f is not None and f.residual <= good(got)]
    return found + sorted(fits, key=lambda f: f.residual)


def on_grid(family: Family, lab: Any, verdict: Any, others) -> list:
    """Return steps and values to begin from: the best of a grid.

    With the factor free, and with a factor of 1: a free one hides the number of steps.
    """
    free: dict[int, tuple[float, tuple[float, ...]]] = {}
    bound: dict[int, tuple[float, tuple[float, ...]]] = {}
    got = lab.target(verdict)
    size = numpy.linalg.norm(got)
    for p in points(family):
        path = family.at(lab, verdict, *p)
        for k, answer in enumerate(path or [], 1):
            left = projected(got, [answer, *others], family.bound)[2]
            gap = float(numpy.linalg.norm(got - answer) / size)
            for best, score in ((free, left), (bound, gap)):
                if score < best.get(k, (0.7, ()))[0]:
                    best[k] = (score, p)
    found: dict[tuple[int, tuple], None] = {}
    for best in (bound, free):
        for k in sorted(best, key=lambda k: best[k][0])[:BRANCHES]:
            found[k, best[k][1]] = None
    return list(found)


def points(family: Family) -> list[tuple[float, ...]]:
    """Return values to begin from."""
    count = GRID[len(family.numbers)]
    return list(product(*(n.grid(count) for n in family.numbers.values())))


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
    for p in points(family):
        found = columns(p)
        left = 2.0 if found is None else projected(got, found, family.bound)[2]
        scores.append((left, p))
    scores.sort(key=lambda s: s[0])
    tried = [refine(columns, family, p, got) for _, p in scores[:STARTS] if _ < 1.0]
    best = [f for f in tried if f is not None]
    return min(best, key=lambda f: f.residual, default=None)


def refine(columns, family: Family, start: tuple[float, ...], got: Array):
    """Return the fit from a start, in the logarithms of the numbers."""
    signs = numpy.sign(start)

    def values(q):
        return tuple(signs * numpy.exp(numpy.clip(q, -60, 60)))

    def residual(q):
        found = columns(values(q))
        return (
            numpy.ones(got.size)
            if found is None
            else projected(got, found, family.bound)[1]
        )

    q0 = numpy.log(numpy.abs(start))
    with numpy.errstate(all="ignore"):
        try:
            # Differences of 1e-6 suffice: near the answer the residual is all but 0.
            out = least_squares(
                residual, q0, diff_step=1e-6, xtol=1e-13, ftol=1e-15, gtol=1e-15,
                max_nfev=40,
            )  # fmt: skip
        except (ValueError, numpy.linalg.LinAlgError):
            return None
    found = columns(values(out.x))
    if found is None:
        return None
    a, _, left = projected(got, found, family.bound)
    slopes = numpy.linalg.norm(out.jac, axis=0)
    room = max(left, 1e-13)
    spread = tuple(
        abs(v) * room / s if s > FLAT else numpy.inf
        for v, s in zip(values(out.x), slopes, strict=True)
    )
    return Fit(values(out.x), spread, tuple(a), left)
