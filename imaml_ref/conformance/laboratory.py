"""What mistakes would have answered, and how well an answer agrees with that.

An answer fits a mistake if it agrees with what the mistake gives to enough digits, and
in two digits more than with what is right.  A mistake that cannot be seen at a place,
because its own answer passes there, fits nothing there.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cache, partial

import numpy

from .agreement import agreement, moved
from .asking import attempt
from .case import Answer, Array, Case
from .judge import Verdict
from .mutants import CATALOGUE, combined

Names = tuple[str, ...]  # mistakes made at once
SINGLES: tuple[Names, ...] = tuple((name,) for name in CATALOGUE)
LEAST = {"float64": 5.0, "float32": 3.0}  # digits of agreement with a mistake
NEARER = 2.0  # digits by which it must exceed the agreement with what is right
EVIDENCE = 8.0  # digits times entries: one number that agrees may do so by chance
TIE = 1.0  # digits within which two mistakes fit equally well
SINGLE: Names = ("single-precision",)
Fits = dict[Names, float]


class Laboratory:
    """The mistakes, with every answer computed once.

    Args:
        cases: The cases, with their answers.
    """

    def __init__(self, cases: Mapping[str, Case] | Iterable[Case]):
        listed = cases.values() if isinstance(cases, Mapping) else cases
        self.cases = {case.name: case for case in listed}
        self.shared: dict = {}
        self.subject = cache(partial(combined, shared=self.shared, looks=False))
        self.answers = cache(self.computed)
        self.right: dict[tuple[Names, str, str, str], float] = {}

    def computed(self, names: Names, case: str, level: str) -> Mapping[str, Array]:
        """Return what some mistakes together answer to a level of a case."""
        found = attempt(self.subject(*names), self.cases[case], level).values
        return {name: a for name, a in found.items() if numpy.isfinite(a).all()}

    def digits(self, names: Names, verdict: Verdict) -> float:
        """Return how well what some mistakes give agrees with what is right."""
        key = (names, verdict.case, verdict.level, verdict.answer)
        if key not in self.right:
            theirs = self.answers(names, verdict.case, verdict.level)
            found, want = theirs.get(verdict.answer), self.answer(verdict).want
            near = 0.0 if found is None else self.near(verdict, found, want)
            self.right[key] = near
        return self.right[key]

    def passes(self, names: Names, verdict: Verdict) -> bool:
        """Whether some mistakes cannot be seen where a verdict was given."""
        return self.digits(names, verdict) >= (verdict.required or 0.0)

    def fit(self, names: Names, verdict: Verdict) -> float | None:
        """Return the digits in which an answer agrees with mistakes, if it fits."""
        theirs = self.answers(names, verdict.case, verdict.level).get(verdict.answer)
        got = verdict.got
        if theirs is None or got is None or self.passes(names, verdict):
            return None
        least = max(LEAST[str(got.dtype)], EVIDENCE / got.size)
        least = max(least, (verdict.digits or 0.0) + NEARER)
        if self.whole_digits(verdict, theirs) < least:
            return None
        found = self.near(verdict, got, theirs)
        return found if found >= least else None

    def answer(self, verdict: Verdict) -> Answer:
        """Return the right answer."""
        return self.cases[verdict.case].answers[verdict.level][verdict.answer]

    def near(self, verdict: Verdict, got: Array, want: Array) -> float:
        """Return the digits of agreement of two answers."""
        return agreement(self.cases[verdict.case], verdict.level, got, want).digits

    def whole_digits(self, verdict: Verdict, theirs: Array) -> float:
        """Return the digits of the whole array, never fewer than of a tensor."""
        case = self.cases[verdict.case]
        scale = numpy.linalg.norm(moved(case, verdict.level, theirs))
        with numpy.errstate(over="ignore"):
            gap = numpy.linalg.norm(verdict.got - theirs)
        return -math.log10(gap / scale) + 0.1 if gap and scale else 16.0

    def factor(self, verdict: Verdict) -> float | None:
        """Return the one number by which an answer is off, to four digits, or None."""
        got, want = verdict.got, self.answer(verdict).want
        if got is None or got.size < 2:
            return None
        case = self.cases[verdict.case]
        a, b = (moved(case, verdict.level, x) for x in (got, want))
        factor = float(numpy.vdot(b, a) / numpy.vdot(b, b))
        least = max(LEAST[str(got.dtype)], (verdict.digits or 0.0) + 2)
        near = self.near(verdict, got, want - b + factor * b)
        return float(f"{factor:.4g}") if factor and near >= least else None

    def was_single(self, verdict: Verdict) -> bool:
        """Whether all of an answer is single precision, and nothing else is wrong.

        Then it has the digits that single precision reaches, −log₁₀(κu) − 1.
        """
        got, required = verdict.got, self.answer(verdict).required["float32"]
        least = max(LEAST["float32"], required + 1)
        if got is None or got.dtype != numpy.float64 or (verdict.digits or 0.0) < least:
            return False
        return bool((got.astype(numpy.float32) == got).all())

    def fits(self, verdict: Verdict, candidates: Iterable[Names]) -> Fits:
        """Return which of some candidates fit an answer best, with the digits.

        Two mistakes of which one is enough are left out.
        """
        found = {}
        for names in candidates:
            digits = self.fit(names, verdict)
            if digits is not None:
                found[names] = digits
        best = max(found.values(), default=0.0)
        good = {names: digits for names, digits in found.items() if digits > best - TIE}
        return {n: d for n, d in good.items() if not any(set(o) < set(n) for o in good)}


def nearly_right(verdict: Verdict) -> bool:
    """Whether a failing answer has more digits than it takes to recognise a mistake."""
    got = verdict.got
    return got is not None and (verdict.digits or 0.0) >= LEAST[str(got.dtype)]
