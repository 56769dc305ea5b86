"""Work out which mistake is behind failing answers.

Question by question, from the loss to ten outer steps: what is named at one is followed
upwards, and cases that fail below and are not explained there are left out above.  At
each question, until all that fails is explained:

1. what was named below; mistakes of the catalogue, a sum of known vectors, one factor
2. families, whose numbers are fitted; mistakes of the catalogue, times a factor
3. two at once, while there is time

A name is given only if no answer to the question contradicts it, those that pass
included (``families.evidence``), and if no more than three explain the same.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations

import numpy

from ..compute import one_blas_thread
from .case import Case
from .explanation import Diagnosis, merged
from .families import FAMILIES
from .families.evidence import (
    Explanation,
    Place,
    compared,
    of_columns,
    of_family,
    place,
    probes,
)
from .families.family import Family, Question, both
from .families.linear import columns
from .families.members import MEMBERS, is_one
from .judge import FAIL, PASS, Report, Verdict
from .laboratory import Laboratory, nearly_right
from .layouts import layout_hint
from .mutants import sentence
from .suite import load_suite

SECONDS = 45.0  # of computing, for everything
TIES = 3  # explanations of the same answers that are told; of more, none is
RIGHT = {
    "theta": "the step",
    "hvp": "H v",
    "gnvp": "G v",
    "x": "x",
    "lam_grad": "−x (φ − θ)",
}
QUESTIONS: tuple[Question, ...] = (
    ("L1", "loss"),
    ("L1", "grad"),
    ("L2", "hvp"),
    ("L2", "gnvp"),
    ("L3", "x"),
    ("L4", "meta_grad"),
    ("L4", "lam_grad"),
    ("L5", "inner"),
    ("L5", "meta_grad"),
    ("L5", "lam_grad"),
    ("L6", "theta"),
    ("L7", "theta"),
    ("U", "unrolled_grad"),
)
# What an answer is computed from: where that fails in a case, the answer fails too.
FROM: dict[Question, tuple[Question, ...]] = {
    ("L1", "grad"): (("L1", "loss"),),
    ("L2", "hvp"): (("L1", "grad"),),
    ("L2", "gnvp"): (("L1", "loss"),),
    ("L4", "meta_grad"): (("L1", "grad"), ("L2", "hvp")),
    ("L4", "lam_grad"): (("L4", "meta_grad"),),
    ("L5", "inner"): (("L1", "grad"),),
    ("L5", "meta_grad"): (("L4", "meta_grad"),),
    ("L5", "lam_grad"): (("L4", "lam_grad"), ("L5", "meta_grad")),
    ("L7", "theta"): (("L6", "theta"), ("L5", "meta_grad")),
    ("U", "unrolled_grad"): (("L1", "grad"), ("L2", "hvp")),
}


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
    with one_blas_thread(), numpy.errstate(all="ignore"):
        return replace(report, diagnoses=tuple(search.diagnoses()))


class Search:
    """The search for what is behind the failing answers of a report.

    Args:
        laboratory: The cases and what mistakes would have answered.
        report: What was judged.
    """

    def __init__(self, laboratory: Laboratory, report: Report):
        self.lab, self.report = laboratory, report
        self.families: list[Family] = [*FAMILIES.values()]
        self.lab.hear(report.verdicts)
        self.deadline = time.process_time() + SECONDS
        self.named: list[Explanation] = []
        self.explained: dict[Place, float] = {}
        self.hinted = {place(v) for v in report.verdicts if self.is_hinted(v)}

    def is_hinted(self, verdict: Verdict) -> bool:
        """Whether the judge has said already that its axes are what is wrong."""
        if verdict.outcome != FAIL or verdict.got is None or not verdict.message:
            return False
        case, want = self.lab.case(verdict), self.lab.answer(verdict).want
        return bool(layout_hint(case, verdict.got, want, verdict.required or 0.0))

    def diagnoses(self) -> Iterator[Diagnosis]:
        """Yield what is to be said, the lowest level first."""
        late = []
        for question in QUESTIONS:
            found = self.answer(question)
            late += found
        yield from merged(late)

    def answer(self, question: Question) -> list[Diagnosis]:
        """Return what is to be said of the answers to a question."""
        verdicts = [v for v in self.report.verdicts if self.is_about(v, question)]
        verdicts.sort(key=self.cost)
        found: list[Diagnosis] = []
        for one in self.follow(verdicts):
            found.append(self.told([one]))
        self.follow_own(question, verdicts)
        single = [v for v in self.left(verdicts) if self.lab.was_single(v)]
        if single:
            found.append(self.single(single))
        while self.left(verdicts):
            tied = self.best(question, self.in_reach(question, verdicts))
            if not tied:
                break
            self.keep(tied)
            found.append(self.told(tied))
        return found + [*self.unnamed(question, verdicts)]

    def is_about(self, v: Verdict, question: Question) -> bool:
        """Whether a verdict is one on a question, with an answer to compare."""
        return (
            (v.level, v.answer) == question
            and v.got is not None
            and v.agreement is not None
            and bool(v.required)
            and place(v) not in self.hinted
        )

    def cost(self, verdict: Verdict) -> int:
        """Return the size of a case: what it costs to answer it grows with this."""
        return sum(a.size for a in self.lab.case(verdict).inputs.values())

    def left(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Return what fails and is not explained."""
        return [
            v for v in verdicts if v.outcome == FAIL and place(v) not in self.explained
        ]

    def in_reach(self, question: Question, verdicts: list[Verdict]) -> list[Verdict]:
        """Return what can be looked at: nothing below it fails, nothing explains it."""
        bad = {
            (v.case, v.level, v.answer)
            for v in self.report.verdicts
            if v.outcome == FAIL
        }
        below = FROM.get(question, ())
        return [
            v
            for v in verdicts
            if place(v) not in self.explained
            and not any((v.case, *q) in bad for q in below)
        ]

    # What explains.

    def follow(self, verdicts: list[Verdict]) -> Iterator[Explanation]:
        """Yield what was named below and explains answers here."""
        for one in self.named:
            left = self.left(verdicts)
            if not left:
                return
            found = compared(self.lab, one, left, strict=False)
            if found is not None:
                self.explained |= found.explained
                yield found

    def follow_own(self, question: Question, verdicts: list[Verdict]) -> None:
        """Count as explained what is right, given the user's own answer below."""
        for v in self.left(verdicts):
            theirs = self.lab.from_own(v)
            digits = None if theirs is None else self.lab.matches(v, theirs)
            if digits is not None:
                self.explained[place(v)] = digits

    def best(self, question: Question, verdicts: list[Verdict]) -> list[Explanation]:
        """Return the simplest explanation of most answers, and what is tied with it."""
        failing = self.left(verdicts)
        if not failing:
            return []
        found: list[Explanation] = []
        for stage in (self.first, self.second, self.third):
            for one in stage(question, verdicts, failing):
                found.append(one)
                if time.process_time() > self.deadline:
                    break
            if any(len(one.explained) == len(failing) for one in found):
                break
            if time.process_time() > self.deadline:
                break
        if not found:
            return []
        best = min(found, key=lambda e: (-len(e.explained), e.cost))
        same = [
            e
            for e in found
            if set(e.explained) == set(best.explained) and e.cost[:2] == best.cost[:2]
        ]
        same.sort(key=lambda e: (e.cost, -sum(e.explained.values())))
        return without_twins([*{(e.names, e.say): e for e in same}.values()])

    def first(self, question, verdicts, failing) -> Iterator[Explanation]:
        """Yield mistakes of the catalogue, and sums of known vectors."""
        tried = probes(self.lab, failing)
        for member in MEMBERS:
            answers = ((v, member.at(self.lab, v)) for v in tried)
            if any(a is not None and self.lab.matches(v, a) for v, a in answers):
                yield from self.compared(self.exact(member), verdicts)
        known = columns(self.lab, failing[0])
        yield from self.sums(question, verdicts, [(name,) for name in known])

    def second(self, question, verdicts, failing) -> Iterator[Explanation]:
        """Yield families, and mistakes of the catalogue times a factor."""
        for family in self.families:
            if question in family.where and self.in_time():
                yield from of_family(self.lab, verdicts, family).explanations()
        known = [*columns(self.lab, failing[0])]
        yield from self.sums(question, verdicts, combinations(known, 2))
        for member in MEMBERS:
            if self.in_time():
                yield from of_family(self.lab, verdicts, member).explanations()

    def third(self, question, verdicts, failing) -> Iterator[Explanation]:
        """Yield two at once."""
        here = [f for f in self.families if question in f.where]
        for a in here:
            for b in here:
                apart = a.part != b.part and a.on and b.rows
                once = not (a.on and b.on) or a.part < b.part
                if apart and once and self.in_time():
                    pair = both(a, b)
                    yield from of_family(self.lab, verdicts, pair).explanations()
        tried = probes(self.lab, failing)[:2]
        shown = [m for m in MEMBERS if any(self.shows(m, v) for v in tried)]
        for a, b in combinations(shown, 2):
            if not self.in_time():
                return
            names = (a.name, b.name)
            if any(self.is_answer(names, v) for v in tried):
                yield from self.compared(self.exact_pair(names), verdicts)

    def in_time(self) -> bool:
        """Whether there is time left."""
        return time.process_time() < self.deadline

    def sums(self, question, verdicts, choices) -> Iterator[Explanation]:
        """Yield sums of known vectors."""
        right = RIGHT.get(question[1], "g")
        for names in choices:
            yield from of_columns(
                self.lab, verdicts, names, right, columns
            ).explanations()

    def exact(self, member: Family) -> Explanation:
        """Return a mistake of the catalogue as it is."""
        return Explanation(
            (member.name,), member.say, {}, (1, 0, 0), lambda v: member.at(self.lab, v)
        )

    def exact_pair(self, names: tuple[str, str]) -> Explanation:
        """Return two mistakes of the catalogue at once."""

        def predict(v: Verdict):
            return self.lab.answers(names, v.case, v.level).get(v.answer)

        say = " ".join(sentence(name) for name in names)
        return Explanation((" + ".join(names),), say, {}, (2, 0, 1), predict)

    def compared(self, one: Explanation, verdicts) -> Iterator[Explanation]:
        """Yield an explanation if no answer contradicts it."""
        found = compared(self.lab, one, verdicts)
        if found is not None:
            yield found

    def shows(self, member: Family, verdict: Verdict) -> bool:
        """Whether a mistake changes an answer."""
        theirs = member.at(self.lab, verdict)
        return theirs is not None and not self.lab.invisible(verdict, theirs)

    def is_answer(self, names: tuple[str, str], verdict: Verdict) -> bool:
        """Whether two mistakes of the catalogue give an answer."""
        theirs = self.lab.answers(names, verdict.case, verdict.level).get(
            verdict.answer
        )
        return theirs is not None and self.lab.matches(verdict, theirs) is not None

    def keep(self, tied: list[Explanation]) -> None:
        """Remember what is explained."""
        self.explained |= tied[0].explained
        if len(tied) <= TIES:
            self.named += tied

    # What is said.

    def told(self, tied: list[Explanation]) -> Diagnosis:
        """Return the diagnosis that explanations are, or that there are too many."""
        first = tied[0]
        places, digits = tuple(first.explained), min(first.explained.values())
        if len(tied) > TIES:
            note = (
                f"{len(tied)} explanations fit as well as one another; more cases "
                "would tell them apart."
            )
            return Diagnosis(places, note=note)
        names = tuple(dict.fromkeys(e.names[0] for e in tied))
        says = tuple(e.say for e in tied)
        return Diagnosis(
            places, names, digits, says=says, numbers=first.numbers,
            note=self.note(places),
        )  # fmt: skip

    def note(self, places: tuple[Place, ...]) -> str:
        """Return what passes beside what fails, where that tells where to look."""
        level = min(level for _, level, _ in places)
        passed = {
            (v.case, v.answer)
            for v in self.report.verdicts
            if v.outcome == PASS and v.level == "L4"
        }
        if level == "L5" and all((c, "meta_grad") in passed for c, _, _ in places):
            return (
                "L4 is right in these cases and L5 is not: (5) is right where φ* is "
                "given, and the inner loop is where to look."
            )
        return ""

    def single(self, verdicts: list[Verdict]) -> Diagnosis:
        """Return that some answers are single precision."""
        places = tuple(map(place, verdicts))
        self.explained |= {
            p: v.digits or 0.0 for p, v in zip(places, verdicts, strict=True)
        }
        name = "single-precision"
        digits = min(v.digits or 0.0 for v in verdicts)
        return Diagnosis(places, (name,), digits, says=(sentence(name),))

    def unnamed(self, question: Question, verdicts: list[Verdict]):
        """Yield what is left: off by one factor, nearly right, or nothing fits."""
        groups: dict[tuple, list[Verdict]] = {}
        reach = {place(v) for v in self.in_reach(question, verdicts)}
        for v in self.left(verdicts):
            factor = self.lab.factor(v)
            key = (place(v) in reach, nearly_right(v), factor)
            groups.setdefault(key, []).append(v)
        for (near, nearly, factor), found in groups.items():
            places = tuple(map(place, found))
            if not near:
                continue  # what fails below it says enough
            digits = min(v.digits or 0.0 for v in found) if nearly else 0.0
            note = self.note(places)
            if not self.in_time():
                note += f" The search ended after {SECONDS:.0f} s: not all was tried."
            yield Diagnosis(places, digits=digits, factor=factor, note=note.strip())


def without_twins(found: list[Explanation]) -> list[Explanation]:
    """Return explanations without those that say what a named one says already."""
    names = {e.names[0] for e in found}
    return [
        e
        for e in found
        if not any(n != e.names[0] and is_one(n, e.names[0]) for n in names)
    ]
