"""Name the mistakes behind failing answers.

A failing answer is compared with what each mistake of ``mutants`` would have given.

1. In each case the lowest failing level is looked at: failures above it follow from it.
2. Mistakes that contradict what passes are tried last; two at once if no one fits.
3. What explains most failing answers comes first; what gives the same numbers is tied.
4. Where no mistake fits, one factor between all entries is looked for.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations

from ..compute import one_blas_thread
from .case import Case
from .explanation import Diagnosis, Place
from .judge import FAIL, PASS, Report, Verdict
from .laboratory import (
    SINGLE,
    SINGLES,
    Fits,
    Laboratory,
    Names,
    nearly_right,
)
from .layouts import layout_hint
from .suite import load_suite

PATIENCE = 6  # answers of a level that nothing fits; then only known ones are tried
PAIR_SCANS = 2  # answers of a level for which two mistakes at once are tried
PAIR_SECONDS = 30.0  # for all pairs together
PAIR_LEVELS = ("L1", "L2", "L3", "L4", "L5")


def diagnose(
    report: Report,
    cases: Mapping[str, Case] | Iterable[Case] | None = None,
    laboratory: Laboratory | None = None,
) -> Report:
    """Return a report with its diagnoses.

    Args:
        report: What ``judge`` found; without answers there is nothing to diagnose.
        cases: The cases that were judged, with their answers; by default those of the
            suite that comes with the package.
        laboratory: Answers of mistakes computed before, for the same cases.
    """
    known = load_suite(version=report.suite_version) if cases is None else cases
    search = Search(laboratory or Laboratory(known), report)
    with one_blas_thread():
        search.run()
    return replace(report, diagnoses=(*search.named(), *search.unnamed()))


def place(verdict: Verdict) -> Place:
    """Return where a verdict was given."""
    return verdict.case, verdict.level, verdict.answer


class Search:
    """The search for mistakes behind the failing answers of a report.

    Args:
        laboratory: What mistakes would have answered.
        report: What was judged.
    """

    def __init__(self, laboratory: Laboratory, report: Report):
        self.laboratory, self.report = laboratory, report
        self.failing = [v for v in report.verdicts if self.can_be_looked_at(v)]
        self.found: dict[Place, Fits] = {}
        self.deadline = 0.0

    def can_be_looked_at(self, verdict: Verdict) -> bool:
        """Whether it failed with an answer whose axes are not what is wrong."""
        if verdict.outcome != FAIL or verdict.got is None or verdict.required is None:
            return False
        case = self.laboratory.cases[verdict.case]
        want = self.laboratory.answer(verdict).want
        return not (
            verdict.message and layout_hint(case, verdict.got, want, verdict.required)
        )

    @property
    def lowest(self) -> list[Verdict]:
        """Failing answers up to the lowest level that fails by more than a tolerance.

        The cheapest first; where a case is nearly right, all that fails in it.
        """
        first: dict[str, str] = {}
        for v in self.failing:
            if not nearly_right(v):
                first[v.case] = min(v.level, first.get(v.case, v.level))
        lowest = [v for v in self.failing if v.level <= first.get(v.case, v.level)]
        return sorted(lowest, key=lambda v: (v.level, self.cost(v)))

    def cost(self, verdict: Verdict) -> int:
        """Return the size of a case: what it costs to answer it grows with this."""
        return sum(a.size for a in self.laboratory.cases[verdict.case].inputs.values())

    def run(self) -> None:
        """Look at the lowest failing level of each case, then above."""
        idle: Counter[str] = Counter()
        for verdict in self.lowest:
            patient = idle[verdict.level] < PATIENCE
            idle[verdict.level] += not self.explain(verdict, patient)
        self.deadline = time.monotonic() + PAIR_SECONDS
        if self.one_factor():
            return
        self.try_more(self.lowest, self.known_pairs, self.pairs)
        # What was named may explain failures above it, or with another.
        above = sorted(self.failing, key=lambda v: (v.level, self.cost(v)))
        self.try_more(filter(self.below, above), self.known, self.with_another)

    def one_factor(self) -> bool:
        """Whether one number between all entries says more than the mistakes found."""
        places = {place(v) for v in self.lowest}
        explained = [
            sum(n in fits for fits in self.found.values()) for n in self.known()
        ]
        if len(places) < 2 or max(explained, default=0) == len(places):
            return False
        factors = {self.laboratory.factor(v) for v in self.lowest}
        if len(factors) > 1 or None in factors:
            return False
        self.found.clear()
        return True

    def explain(self, verdict: Verdict, patient: bool) -> bool:
        """Find single mistakes behind an answer: known ones, likely ones, all."""
        if self.laboratory.was_single(verdict):
            self.found[place(verdict)] = {SINGLE: verdict.digits or 0.0}
            return True
        fits = self.laboratory.fits(verdict, self.known())
        if not fits and patient:
            likely = [names for names in SINGLES if self.agrees(names, verdict)]
            rest = [names for names in SINGLES if names not in likely]
            fits = self.laboratory.fits(verdict, likely)
            fits = fits or self.laboratory.fits(verdict, rest)
        if fits:
            self.found[place(verdict)] = fits
        return bool(fits)

    def known(self) -> list[Names]:
        """Return the mistakes that explain an answer so far."""
        return list(dict.fromkeys(n for fits in self.found.values() for n in fits))

    def agrees(self, names: Names, verdict: Verdict) -> bool:
        """Whether mistakes pass where the case passes, up to the level of a verdict."""
        return all(
            self.laboratory.passes(names, v)
            for v in self.report.verdicts
            if v.case == verdict.case and v.outcome == PASS and v.level <= verdict.level
        )

    def worth_pairs(self, verdict: Verdict) -> bool:
        """Whether an answer is cheap enough, and wrong enough, to be worth pairs."""
        return verdict.level in PAIR_LEVELS and not nearly_right(verdict)

    def try_more(
        self,
        verdicts: Iterable[Verdict],
        known: Callable[[], list[Names]],
        more: Callable[[Verdict], Iterable[Names]],
    ) -> None:
        """Find mistakes behind answers that nothing explains yet.

        Args:
            verdicts: On the answers.
            known: What is tried first, at each answer.
            more: What is tried then, at the first few of a level, while there is time.
        """
        scans: Counter[str] = Counter()
        for verdict in verdicts:
            if place(verdict) in self.found or not self.worth_pairs(verdict):
                continue
            fits = self.laboratory.fits(verdict, known())
            if not fits and scans[verdict.level] < PAIR_SCANS:
                scans[verdict.level] += 1
                fits = self.laboratory.fits(verdict, self.in_time(more(verdict)))
            if fits:
                self.found[place(verdict)] = fits

    def known_pairs(self) -> list[Names]:
        """Return the pairs of mistakes that explain an answer so far."""
        return [names for names in self.known() if len(names) == 2]

    def pairs(self, verdict: Verdict) -> list[Names]:
        """Return pairs of mistakes that show at an answer, likely ones first."""
        shown = [n for n in SINGLES if not self.laboratory.passes(n, verdict)]
        pairs = [(a, b) for (a,), (b,) in combinations(shown, 2)]
        odd = {name for (name,) in shown if not self.agrees((name,), verdict)}
        return sorted(pairs, key=lambda pair: len(odd.intersection(pair)))

    def in_time(self, candidates: Iterable[Names]) -> Iterator[Names]:
        """Yield candidates until the time for pairs is over."""
        for names in candidates:
            if time.monotonic() > self.deadline:
                return
            yield names

    def with_another(self, verdict: Verdict) -> Iterator[Names]:
        """Yield what was named below an answer, each with one mistake more."""
        below = (names for names in self.below(verdict) if len(names) == 1)
        return ((*b, *s) for b in below for s in SINGLES if s != b)

    def below(self, verdict: Verdict) -> list[Names]:
        """Return what was named at lower levels of the same case."""
        return [
            names
            for (case, level, _), fits in self.found.items()
            if case == verdict.case and level < verdict.level
            for names in fits
        ]

    def named(self) -> Iterator[Diagnosis]:
        """Yield diagnoses with a name, first what explains most answers."""
        left = dict(self.found)
        while left:
            by_names: dict[Names, dict[Place, float]] = {}
            for where, fits in left.items():
                for names, digits in fits.items():
                    by_names.setdefault(names, {})[where] = digits
            best = max(by_names.values(), key=lambda d: (len(d), sum(d.values())))
            tied = [
                n for n, explained in by_names.items() if set(explained) == set(best)
            ]
            tied.sort(key=lambda n: -sum(by_names[n].values()))
            joined = tuple(" + ".join(names) for names in tied)
            yield Diagnosis(tuple(best), joined, min(best.values()))
            left = {where: fits for where, fits in left.items() if where not in best}

    def unnamed(self) -> Iterator[Diagnosis]:
        """Yield what is left: answers off by one factor, or that nothing fits."""
        left = [v for v in self.lowest if place(v) not in self.found]
        groups: dict[tuple[str, bool, float | None], list[Verdict]] = {}
        for verdict in left:
            factor = self.laboratory.factor(verdict)
            key = (verdict.level, nearly_right(verdict), factor)
            groups.setdefault(key, []).append(verdict)
        for (_, nearly, factor), verdicts in groups.items():
            digits = min(v.digits or 0.0 for v in verdicts) if nearly else 0.0
            yield Diagnosis(tuple(map(place, verdicts)), digits=digits, factor=factor)
