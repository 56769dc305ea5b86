"""Fit a family to one answer, with its number of steps where it has one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy

from ..case import Array
from .family import Family
from .fitting import Fit, good, minimise, points, projected, refine

BRANCHES = 2  # numbers of steps for which a fit is refined
WALK = 10  # and how far the search goes from there


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
    if best is not None and not others and not numpy.isfinite(best.spread).all():
        # A number and the factor are one thing there: where all tasks are clipped, say.
        alone = minimise(columns, replace(family, bound=True), lab, verdict)
        best = alone if alone and alone.residual <= good(got) else best
    if best is None or best.residual > good(got) or usual(family, best.values, facts):
        return []
    return [best]


def fit_steps(
    family: Family, lab: Any, verdict: Any, others: Sequence[Array], hints=()
) -> list[Fit]:
    """Return the good fits after 1, 2, … steps, the best first."""
    search = Steps(family, lab, verdict, others)
    if not family.numbers:
        return search.as_they_are()
    for hint in hints:
        search.refine(hint.steps, hint.values)
    if not search.good():
        for k, p in on_grid(family, lab, verdict, others):
            search.refine(k, p)
        search.walk()
    return search.good()


class Steps:
    """The search for a number of steps, and for numbers beside it.

    Args:
        family: The family.
        lab: Where it finds the case.
        verdict: The answer.
        others: Columns that may be added.
    """

    def __init__(self, family: Family, lab: Any, verdict: Any, others):
        self.family, self.lab, self.verdict = family, lab, verdict
        self.others, self.got = others, lab.target(verdict)
        self.tried: dict[int, Fit | None] = {}

    def as_they_are(self) -> list[Fit]:
        """Return the good fits of a family without other numbers."""
        found = []
        path = self.family.at(self.lab, self.verdict) or []
        for k, answer in enumerate(path, 1):
            a, _, left = projected(self.got, [answer, *self.others], self.family.bound)
            if left <= good(self.got):
                found.append(Fit((), (), tuple(a), left, k))
        return found

    def refine(self, k: int, p: tuple[float, ...]) -> None:
        """Fit the numbers for k steps, from p."""

        def columns(q):
            path = self.family.at(self.lab, self.verdict, *q)
            short = path is None or len(path) < k
            return None if short else [path[k - 1], *self.others]

        best = refine(columns, self.family, p, self.got)
        before = self.tried.get(k)
        if before is None or (best is not None and best.residual < before.residual):
            self.tried[k] = None if best is None else replace(best, steps=k)

    def walk(self) -> None:
        """Go where what is left falls: towards the right number, from both sides."""
        for _ in range(WALK):
            known = {k: f for k, f in self.tried.items() if f is not None}
            if not known:
                return
            k = min(known, key=lambda k: known[k].residual)
            new = [n for n in (k - 1, k + 1) if n > 0 and n not in self.tried]
            if not new or known[k].residual <= good(self.got):
                return
            for n in new:
                self.refine(n, known[k].values)

    def good(self) -> list[Fit]:
        """Return the good fits, the best first."""
        found = [f for f in self.tried.values() if f is not None]
        found = [f for f in found if f.residual <= good(self.got)]
        return sorted(found, key=lambda f: f.residual)


def on_grid(family: Family, lab: Any, verdict: Any, others) -> list:
    """Return steps and values to begin from: the best of a grid.

    With the factor free, and with a factor of 1: a free one hides the number of steps.
    """
    free: dict[int, tuple[float, tuple[float, ...]]] = {}
    bound: dict[int, tuple[float, tuple[float, ...]]] = {}
    got = lab.target(verdict)
    size = numpy.linalg.norm(got)
    for p in points(family, lab.facts(verdict)):
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


def steps_of(fits: Sequence[Sequence[Fit]]) -> list[int]:
    """Return the numbers of steps that are possible in most cases, the least first.

    0 stands for a family without.
    """
    sets = [{f.steps for f in found} for found in fits]
    if not sets:
        return []
    counts: dict[int, int] = {}
    for one in sets:
        for k in one:
            counts[k] = counts.get(k, 0) + 1
    most = max(counts.values())
    likely = [k for k, c in counts.items() if c >= most - 1]
    return sorted(likely, key=lambda k: (-counts[k], k))[:4]
