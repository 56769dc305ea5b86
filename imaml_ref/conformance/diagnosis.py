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

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy

from ..compute import one_blas_thread
from .candidates import SECONDS, Candidates
from .case import Case
from .explanation import Diagnosis, merged, where_to_look
from .families.evidence import Explanation, Place, compared, denied, place
from .families.family import Question
from .framework_defects import defects
from .judge import FAIL, Report, Verdict
from .laboratory import Laboratory, nearly_right
from .layouts import layout_hint
from .mutants import sentence
from .questions import ALONE, FROM, QUESTIONS, failing
from .suite import load_suite

STEP = ("L6", "theta")
TIES = 3  # explanations of the same answers that are told; of more, none is


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
        found = tuple(search.diagnoses())
    notes = (*report.notes, *defects(report, search.lab.cases))
    return replace(report, diagnoses=found, notes=tuple(dict.fromkeys(notes)))


class Search:
    """The search for what is behind the failing answers of a report.

    Args:
        laboratory: The cases and what mistakes would have answered.
        report: What was judged.
    """

    def __init__(self, laboratory: Laboratory, report: Report):
        self.lab, self.report = laboratory, report
        self.lab.hear(report.verdicts)
        self.candidates = Candidates(laboratory, report)
        self.named: list[list[Explanation]] = []  # ties side by side
        self.of_a_step: dict[tuple[Place, ...], list[Explanation]] = {}
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
        found = [d for question in QUESTIONS for d in self.answer(question)]
        yield from merged(map(self.upheld, found))

    def upheld(self, said: Diagnosis) -> Diagnosis:
        """Return what is said of a first step, without a name that ten steps deny."""
        tied = self.of_a_step.get(said.places, [])
        cases = {case for case, _, _ in said.places}
        later = [v for v in self.left(self.lab.own.values()) if v.case in cases]
        later = [v for v in later if v.got is not None and v.agreement is not None]
        if not any(denied(self.lab, one, STEP, later) for one in tied):
            return said
        return Diagnosis(said.places)

    def answer(self, question: Question) -> list[Diagnosis]:
        """Return what is to be said of the answers to a question."""
        verdicts = [v for v in self.report.verdicts if self.is_about(v, question)]
        verdicts.sort(key=self.lab.cost)
        found: list[Diagnosis] = []
        for tied in self.follow(verdicts):
            found.append(self.told(tied))
        self.follow_own(question, verdicts)
        single = [v for v in self.left(verdicts) if self.lab.was_single(v)]
        if single:
            found.append(self.single(single))
        while self.left(verdicts):
            reach = self.in_reach(question, verdicts)
            failing = [v for v in verdicts if v.outcome == FAIL]
            tied = self.candidates.best(question, reach, self.left(reach), failing)
            if not tied:
                break
            tied = self.furthest(tied, question)
            self.keep(tied)
            if question == STEP:
                self.of_a_step[tuple(tied[0].explained)] = tied
            found.append(self.told(tied))
        return [*found, *self.unnamed(question, verdicts)]

    def is_about(self, v: Verdict, question: Question) -> bool:
        """Whether a verdict is one on a question, with an answer to compare."""
        return (
            (v.level, v.answer) == question
            and v.got is not None
            and v.agreement is not None
            and bool(v.required)
            and place(v) not in self.hinted
        )

    def left(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Return what fails and is not explained."""
        return [
            v for v in verdicts if v.outcome == FAIL and place(v) not in self.explained
        ]

    def in_reach(self, question: Question, verdicts: list[Verdict]) -> list[Verdict]:
        """Return what can be looked at: nothing below it fails, nothing explains it."""
        bad = failing(self.report.verdicts, self.lab.cases.values())
        bad -= {at for at in self.explained if at[1:] in ALONE}
        below = FROM.get(question, ())
        return [
            v
            for v in verdicts
            if place(v) not in self.explained
            and not any((v.case, *q) in bad for q in below)
        ]

    # What explains.

    def follow(self, verdicts: list[Verdict]) -> Iterator[list[Explanation]]:
        """Yield what was named below, ties as ties, and explains answers here."""
        for tied in self.named:
            left = self.left(verdicts)
            if not left:
                return
            known = [compared(self.lab, one, left, strict=False) for one in tied]
            found = [one for one in known if one is not None]
            most = max((len(one.explained) for one in found), default=0)
            found = [one for one in found if len(one.explained) == most]
            if found:
                self.explained |= found[0].explained
                yield found

    def furthest(self, tied: list[Explanation], here: Question) -> list[Explanation]:
        """Return those of tied explanations that explain most answers elsewhere."""
        others = [v for v in self.report.verdicts if (v.level, v.answer) != here]
        others = [v for v in others if self.is_about(v, (v.level, v.answer))]

        def score(one: Explanation) -> int:
            found = 0
            for v in others:
                theirs = one.predict(v) if (v.level, v.answer) in one.where else None
                if theirs is not None and not self.lab.invisible(v, theirs):
                    good = v.outcome == FAIL and self.lab.matches(v, theirs) is not None
                    found += 1 if good else -1
            return found

        scores = [score(one) for one in tied] if len(tied) > 1 else [0]
        return [e for e, s in zip(tied, scores, strict=True) if s == max(scores)]

    def follow_own(self, question: Question, verdicts: list[Verdict]) -> None:
        """Count as explained what is right, given the user's own answer below."""
        for v in self.left(verdicts):
            theirs = self.lab.from_own(v)
            digits = None if theirs is None else self.lab.matches(v, theirs)
            if digits is not None:
                self.explained[place(v)] = digits

    def keep(self, tied: list[Explanation]) -> None:
        """Remember what is explained."""
        self.explained |= tied[0].explained
        if len(tied) <= TIES:
            self.named.append(tied)

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
            note=where_to_look(self.report, places),
        )  # fmt: skip

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
            note = where_to_look(self.report, places)
            if not self.candidates.in_time():
                note += f" The search ended after {SECONDS:.0f} s: not all was tried."
            yield Diagnosis(places, digits=digits, factor=factor, note=note.strip())
