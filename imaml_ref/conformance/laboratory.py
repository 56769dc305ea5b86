"""What mistakes would have answered, and how well an answer agrees with that.

An answer fits a mistake if it agrees with what the mistake gives to enough digits, and
in two digits more than with what is right.  A mistake that cannot be seen at a place,
because its own answer passes there, fits nothing there.
"""

import math
from collections.abc import Iterable, Mapping

import numpy

from .agreement import agreement
from .asking import attempt
from .case import Array, Case
from .judge import Verdict, by_name
from .levels import OUTER_STEPS
from .mutants import CATALOGUE, Mistake, combined

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
        self.cases = {case.name: case for case in by_name(cases)}
        self.shared: dict = {}
        self.subjects: dict[Names, Mistake] = {}
        self.answered: dict[tuple[Names, str, str], Mapping[str, Array]] = {}
        self.right: dict[tuple[Names, str, str, str], float] = {}

    def answers(self, names: Names, case: str, level: str) -> Mapping[str, Array]:
        """Return what some mistakes together answer to a level of a case."""
        key = (names, case, level)
        if key not in self.answered:
            if names not in self.subjects:
                made = combined(*names, shared=self.shared, looks=False)
                self.subjects[names] = made
            found = attempt(self.subjects[names], self.cases[case], level).values
            self.answered[key] = {
                name: a for name, a in found.items() if numpy.isfinite(a).all()
            }
        return self.answered[key]

    def digits(self, names: Names, verdict: Verdict) -> float:
        """Return how well what some mistakes give agrees with what is right."""
        key = (names, verdict.case, verdict.level, verdict.answer)
        if key not in self.right:
            theirs = self.answers(names, verdict.case, verdict.level)
            case = self.cases[verdict.case]
            want = case.answers[verdict.level][verdict.answer].want
            found = theirs.get(verdict.answer)
            self.right[key] = 0.0 if found is None else near(case, verdict, found, want)
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
        if whole_digits(self.cases[verdict.case], verdict, theirs) < least:
            return None
        found = near(self.cases[verdict.case], verdict, got, theirs)
        return found if found >= least else None

    def single_digits(self, verdict: Verdict) -> float:
        """Return the digits that single precision reaches: −log₁₀(κu) − 1."""
        case = self.cases[verdict.case]
        answer = case.answers[verdict.level][verdict.answer]
        return max(LEAST["float32"], answer.required["float32"] + 1)

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


def near(case: Case, verdict: Verdict, got: Array, want: Array) -> float:
    """Return the digits of agreement, of an outer step those of how far it went."""
    return agreement(case, got, want, origin(case, verdict)).digits


def origin(case: Case, verdict: Verdict) -> Array | None:
    """Return what is subtracted before answers are compared."""
    return case.theta if verdict.level in OUTER_STEPS else None


def whole_digits(case: Case, verdict: Verdict, theirs: Array) -> float:
    """Return the digits of the whole array: never fewer than of its worst tensor."""
    start, got = origin(case, verdict), verdict.got
    scale = numpy.linalg.norm(theirs if start is None else theirs - start)
    with numpy.errstate(over="ignore"):
        gap = numpy.linalg.norm(got - theirs)
    return -math.log10(gap / scale) + 0.1 if gap and scale else 16.0


def was_single(verdict: Verdict, least: float) -> bool:
    """Whether every number of an answer of that many digits is a single-precision one.

    Args:
        verdict: On the answer.
        least: Digits that single precision reaches where nothing else is wrong.
    """
    got, digits = verdict.got, verdict.digits or 0.0
    if got is None or got.dtype != numpy.float64 or digits < least:
        return False
    return bool((got.astype(numpy.float32) == got).all())


def nearly_right(verdict: Verdict) -> bool:
    """Whether a failing answer has more digits than it takes to recognise a mistake."""
    got = verdict.got
    return got is not None and (verdict.digits or 0.0) >= LEAST[str(got.dtype)]
