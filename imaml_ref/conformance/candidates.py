"""What may be behind failing answers, the simple first.

1. mistakes of the catalogue, a sum of known vectors, one factor
2. families, whose numbers are fitted; mistakes of the catalogue, times a factor
3. two at once, while there is time
"""

import time
from collections.abc import Iterable, Iterator
from itertools import combinations

from .families import FAMILIES, stops
from .families.evidence import (
    Explanation,
    Place,
    compared,
    is_simpler,
    place,
    probes,
    rests_on_one,
)
from .families.family import Family, Question, both
from .families.linear import columns, distinct
from .families.members import MEMBERS, without_twins
from .families.trial import of_columns, of_family
from .judge import FAIL, PASS, Report, Verdict
from .laboratory import Laboratory
from .mutants import CATALOGUE, sentence
from .questions import beneath

GRAD = ("L1", "grad")
POORER = 3.0  # digits fewer than the best: no tie
SECONDS = 45.0  # of computing, for everything
ALIKE = 4  # failing answers by which known vectors are told apart
PAIRS = 15.0  # seconds that pairs of the catalogue leave to pairs of families
RIGHT = {
    "theta": "the step",
    "hvp": "H v",
    "gnvp": "G v",
    "x": "x",
    "lam_grad": "−x (φ − θ)",
}


class Candidates:
    """The explanations that are tried, in order.

    Args:
        laboratory: The cases and what mistakes would have answered.
        report: What was judged.
    """

    def __init__(self, laboratory: Laboratory, report: Report):
        self.lab, self.report = laboratory, report
        self.families: list[Family] = [*FAMILIES.values()]
        self.deadline = time.process_time() + SECONDS

    def best(
        self,
        question: Question,
        verdicts: list[Verdict],
        failing: list[Verdict],
        everything: list[Verdict],
    ) -> list[Explanation]:
        """Return the simplest explanation of most answers, and what is tied with it.

        Args:
            question: What was asked.
            verdicts: The answers that are looked at.
            failing: Those that fail.
            everything: Those that fail, what was explained before among them.
        """
        if not failing:
            return []
        found: list[Explanation] = []
        for stage in (self.first, self.second, self.third):
            for one in stage(question, verdicts, failing):
                found.append(one)
                if not self.in_time():
                    break
            if any(len(one.explained) == len(failing) for one in found):
                break
            if not self.in_time():
                break
        found = [e for e in found if not rests_on_one(e, failing, everything)]
        if not found:
            return []
        best = min(found, key=lambda e: (-len(e.explained), e.cost))
        same = [
            e
            for e in found
            if set(e.explained) == set(best.explained) and e.cost[:2] == best.cost[:2]
        ]
        most = max(min(e.explained.values()) for e in same)
        same = [e for e in same if min(e.explained.values()) > most - POORER]
        same = [e for e in same if not any(is_simpler(o, e) for o in same)]
        same.sort(key=lambda e: (e.cost, -sum(e.explained.values())))
        return without_twins([*{(e.names, e.say): e for e in same}.values()])

    def first(self, question, verdicts, failing) -> Iterator[Explanation]:
        """Yield mistakes of the catalogue, and sums of known vectors."""
        tried = probes(self.lab, failing)
        for member in self.members(question, verdicts):
            answers = ((v, member.at(self.lab, v)) for v in tried)
            if any(a is not None and self.lab.matches(v, a) for v, a in answers):
                yield from self.compared(self.exact(member), verdicts)
        if question[1] != "theta":  # a factor of a step may have many causes
            known = distinct(self.lab, failing[:ALIKE])
            yield from self.sums(question, verdicts, [(name,) for name in known])

    def members(self, question: Question, verdicts: list[Verdict]) -> list[Family]:
        """Return the mistakes of the catalogue that may be behind an answer.

        Those that show below are none where what is below passes; and what is below an
        outer step is in the user's own meta-gradient already.
        """
        level = question[0]
        passed = {(v.case, v.level) for v in self.report.verdicts if v.outcome == PASS}
        seen = level == "L5" and all((v.case, "L4") in passed for v in verdicts)
        least = {"L6": "L6", "L7": "L6", "U": "L1"}.get(level, "L5" if seen else "L1")
        return [m for m in MEMBERS if least <= CATALOGUE[m.name].level <= level]

    def second(self, question, verdicts, failing) -> Iterator[Explanation]:
        """Yield families and tolerances; if none explains all, sums and multiples."""
        whole = False
        for one in self.fitted(question, verdicts):
            whole = whole or len(one.explained) == len(failing)
            yield one
        if whole:
            return
        known = distinct(self.lab, failing[:ALIKE])
        for count in (1, 2) if question[1] == "theta" else (2,):
            yield from self.sums(question, verdicts, combinations(known, count))
        for member in self.members(question, verdicts):
            if self.in_time():
                yield from self.multiples(member, verdicts)

    def fitted(self, question, verdicts) -> Iterator[Explanation]:
        """Yield families, those with few numbers first, and tolerances.

        At L2 those of ∇L, which is right there, are the last resort.
        """
        here = [f for f in self.families if question in f.where]
        below = {f.name: question[0] == "L2" and GRAD in f.where for f in here}
        here.sort(key=lambda f: (below[f.name], len(f.numbers), bool(f.steps)))
        failing, enough = sum(v.outcome == FAIL for v in verdicts), 99
        for family in here:
            if len(family.numbers) > enough or not self.in_time():
                continue
            if below[family.name] and enough < 99:
                break
            if family.steps and enough < 99:
                continue  # a number of steps explains what something simpler does
            for one in self.tried(verdicts, family):
                if len(one.explained) == failing:
                    enough = min(enough, max(1, len(family.numbers)))
                yield one
        yield from stops.explanations(self.lab, question, verdicts)

    def tried(self, verdicts, family: Family) -> Iterator[Explanation]:
        """Yield a family with the numbers that answers give."""
        return of_family(self.lab, verdicts, family, self.in_time).explanations()

    def multiples(self, member: Family, verdicts) -> Iterator[Explanation]:
        """Yield a mistake of the catalogue, times a factor."""
        plain = self.exact(member)
        for one in self.tried(verdicts, member):
            if not self.contradicted(plain, one.explained):
                yield one

    def third(self, question, verdicts, failing) -> Iterator[Explanation]:
        """Yield two at once."""
        tried = probes(self.lab, failing)[:2]
        known = self.members(question, verdicts)
        shown = [m for m in known if any(self.shows(m, v) for v in tried)]
        for a, b in combinations(shown, 2):
            names = (a.name, b.name)
            if self.in_time(PAIRS) and any(self.is_answer(names, v) for v in tried):
                yield from self.compared(self.exact_pair(names), verdicts)
        here = [f for f in self.families if question in f.where]
        for a in here:
            for b in here:
                apart = a.part != b.part and a.on and b.rows
                once = not (a.on and b.on) or a.part < b.part
                if apart and once and self.in_time():
                    yield from self.tried(verdicts, both(a, b))

    def in_time(self, kept: float = 0.0) -> bool:
        """Whether there is time left, beside some seconds that are kept."""
        return time.process_time() < self.deadline - kept

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
        if found is not None and not self.contradicted(one, found.explained):
            yield found

    def contradicted(self, one: Explanation, places: Iterable[Place]) -> bool:
        """Whether what answers are computed from passes, and would not with a mistake.

        Args:
            one: The mistake.
            places: The answers that it explains.
        """
        below = {
            (case, *question)
            for case, level, answer in places
            for question in beneath((level, answer))
        }
        for v in self.report.verdicts:
            if v.outcome == PASS and v.got is not None and place(v) in below:
                theirs = one.predict(v)
                if theirs is not None and not self.lab.invisible(v, theirs):
                    return True
        return False

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
