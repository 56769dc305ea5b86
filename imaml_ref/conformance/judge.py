"""From answers to verdicts, one for each answer of each level of each case.

pass, fail          digits of the worst tensor against those required for the dtype
not attempted       no answer was given
another convention  not ours, but right: another slope at a kink, ties shared, …
warned, silent      where there is no trustworthy answer; graded apart
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .agreement import Agreement, agreement
from .answers import Attempt, Attempts, BadAnswer, asked, comparable
from .case import Array, Case
from .layouts import layout_hint
from .levels import LEVELS
from .suite import SUITE_VERSION

PASS, FAIL, NOT_ATTEMPTED = "pass", "fail", "not attempted"
WARNED, SILENT = "warned", "did not warn"
CONVENTION = "another convention"


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one answer.

    Args:
        case: Name of the case.
        level: "L1" to "L7", or "U".
        answer: Name of the answer.
        outcome: One of those above.
        required: Digits that are asked for, for the dtype of the answer.
        agreement: How well it agrees, and where it does not; None without an answer.
        message: What else there is to say: an error, a warning, a layout recognised.
        got: The answer, to be diagnosed; None without one.
    """

    case: str
    level: str
    answer: str
    outcome: str
    required: float | None = None
    agreement: Agreement | None = None
    message: str = ""
    got: Array | None = field(default=None, repr=False, compare=False)

    @property
    def digits(self) -> float | None:
        """Digits of the worst tensor; None without an answer."""
        return None if self.agreement is None else self.agreement.digits


@dataclass(frozen=True)
class Report:
    """All verdicts on a subject.

    Args:
        subject: Its name.
        verdicts: In the order of the suite.
        diagnoses: What the failing answers are; empty until ``diagnosis`` looked.
        suite_version: Of the suite.
    """

    subject: str
    verdicts: tuple[Verdict, ...]
    diagnoses: tuple[Any, ...] = ()
    suite_version: str = SUITE_VERSION

    def count(self, outcome: str) -> int:
        """Return how many verdicts have an outcome."""
        return sum(v.outcome == outcome for v in self.verdicts)

    @property
    def passed(self) -> bool:
        """Whether something was attempted and nothing failed; warnings aside."""
        return self.count(FAIL) == 0 and self.count(PASS) > 0

    def of(self, case: str, level: str) -> tuple[Verdict, ...]:
        """Return the verdicts on a level of a case."""
        return tuple(v for v in self.verdicts if (v.case, v.level) == (case, level))


def judge(
    cases: Iterable[Case],
    attempts: Attempts,
    subject: str = "answers",
    suite_version: str = SUITE_VERSION,
) -> Report:
    """Judge what was answered to some cases."""
    verdicts: list[Verdict] = []
    for case, level in asked(cases):
        found = attempts.get((case.name, level), Attempt())
        verdicts += judge_level(case, level, found)
    return Report(subject, tuple(verdicts), suite_version=suite_version)


def judge_level(case: Case, level: str, found: Attempt) -> list[Verdict]:
    """Judge what was answered to one level of a case."""
    if level in case.refuse:
        return [refusal(case, level, found)]
    return [verdict(case, level, name, found) for name in case.asks(level)]


def refusal(case: Case, level: str, found: Attempt) -> Verdict:
    """Judge a level that has no trustworthy answer."""
    name = LEVELS[level].answers[0]
    answered = SILENT if found.values else NOT_ATTEMPTED
    if found.warned:
        return Verdict(case.name, level, name, WARNED, message=found.warned)
    if found.failed:
        return Verdict(case.name, level, name, FAIL, message=found.failed)
    return Verdict(case.name, level, name, answered, message=case.refuse[level])


def verdict(case: Case, level: str, name: str, found: Attempt) -> Verdict:
    """Judge one answer."""
    at = (case.name, level, name)
    if name not in found.values:
        tried = found.failed and name not in found.absent
        text = found.failed if tried else found.absent.get(name, "")
        return Verdict(*at, FAIL if tried else NOT_ATTEMPTED, message=text)
    answer = case.answers[level][name]
    try:
        got = comparable(case, level, name, found.values[name])
    except BadAnswer as error:
        return Verdict(*at, FAIL, message=str(error))
    required = answer.required[str(got.dtype)]
    seen = agreement(case, level, got, answer.want)
    if not required:
        text = f"κ = {answer.kappa:.0e}: {got.dtype} has no digit to ask for"
        return Verdict(*at, NOT_ATTEMPTED, required, message=text)
    if seen.digits >= required:
        return Verdict(*at, PASS, required, seen, found.warned, got)
    for convention, other in answer.conventions.items():
        like = agreement(case, level, got, other)
        if like.digits >= required:
            return Verdict(*at, CONVENTION, required, seen, convention, got)
    hint = layout_hint(case, got, answer.want, required)
    return Verdict(*at, FAIL, required, seen, hint or found.warned, got)
