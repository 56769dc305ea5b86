"""From answers to verdicts, one for each answer of each level of each case.

pass, fail          digits of the worst tensor against those required for the dtype
not attempted       no answer was given
by the adapter      right, but computed by from_torch or from_jax, not by the user
warned, silent      where there is no trustworthy answer; graded apart
"""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from .agreement import Agreement, agreement
from .answers import Attempt, Attempts, BadAnswer, asked, comparable
from .case import Array, Case
from .layouts import layout_hint
from .levels import LEVELS
from .refusals import BETWEEN, everyday, signs
from .suite import SUITE_VERSION

PASS, FAIL, NOT_ATTEMPTED = "pass", "fail", "not attempted"
WARNED, SILENT = "warned", "did not warn"
CONVENTION = "another convention"
BY_ADAPTER = "answered by the adapter"
RIGHT = (PASS, BY_ADAPTER)


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


def given(verdict: Verdict) -> Array:
    """Return the answer that a verdict is about.

    Raises:
        ValueError: If there is none.
    """
    if verdict.got is None:
        raise ValueError(f"{verdict} expects an answer, got none")
    return verdict.got


@dataclass(frozen=True, repr=False)
class Report:
    """All verdicts on a subject.

    Args:
        subject: Its name.
        verdicts: In the order of the suite.
        diagnoses: What the failing answers are; empty until ``diagnosis`` looked.
        suite_version: Of the suite.
        interrupted: What was being asked at Ctrl-C; the verdicts are those until then.
        notes: What an adapter did on the way.
        framework: With which an adapter computed: "PyTorch", "JAX", or empty.
    """

    subject: str
    verdicts: tuple[Verdict, ...]
    diagnoses: tuple[Any, ...] = ()
    suite_version: str = SUITE_VERSION
    interrupted: str = ""
    notes: tuple[str, ...] = ()
    framework: str = ""

    def __repr__(self) -> str:
        """Say who was judged, and how often each outcome came."""
        counts = Counter(v.outcome for v in self.verdicts)
        found = ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
        return f"<Report on {self.subject}: {found or 'nothing was asked'}>"

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
    *,
    among: Container[tuple[str, str]] | None = None,
) -> Report:
    """Judge what was answered to some cases.

    Args:
        cases: The cases.
        attempts: Answers by name of the case and level.
        subject: Whose they are.
        suite_version: Of the suite that the cases are from.
        among: Names of cases and levels; nothing else is judged.  All by default.
    """
    questions = [
        (case, level, attempts.get((case.name, level), Attempt()))
        for case, level in asked(cases)
        if among is None or (case.name, level) in among
    ]
    trusted = {
        (case.name, level): judge_level(case, level, found)
        for case, level, found in questions
        if level not in case.refuse
    }
    heard = everyday(
        (level, signs(found.warned, case.name), any(v.outcome in RIGHT for v in seen))
        for case, level, found in questions
        if found.values and (seen := trusted.get((case.name, level)))
    )
    return Report(
        subject,
        tuple(
            v
            for case, level, found in questions
            for v in trusted.get((case.name, level))
            or judge_level(case, level, found, heard)
        ),
        suite_version=suite_version,
    )


def judge_level(
    case: Case, level: str, found: Attempt, heard: Container[str] = ()
) -> list[Verdict]:
    """Judge what was answered to one level of a case.

    Args:
        case: The case.
        level: The level.
        found: What was answered.
        heard: What is said with right answers too, and is no refusal therefore.
    """
    if level in case.refuse:
        return [refusal(case, level, found, heard)]
    return [
        credited(verdict(case, level, name, found), found.by_adapter.get(name, ""))
        for name in case.asks(level)
    ]


def credited(verdict: Verdict, by_adapter: str) -> Verdict:
    """Return a verdict that says how an adapter computed the answer, if one did."""
    if by_adapter and verdict.outcome == PASS:
        return replace(verdict, outcome=BY_ADAPTER)
    if by_adapter and verdict.outcome == FAIL:
        text = BETWEEN.join(filter(None, (verdict.message, by_adapter)))
        return replace(verdict, message=text)
    return verdict


def refusal(
    case: Case, level: str, found: Attempt, heard: Container[str] = ()
) -> Verdict:
    """Judge a level that has no trustworthy answer."""
    at = (case.name, level, LEVELS[level].answers[0])
    said = signs(found.warned, case.name)
    if own := [text for sign, text in said.items() if sign not in heard]:
        return Verdict(*at, WARNED, message=BETWEEN.join(own))
    if found.failed:
        return Verdict(*at, FAIL, message=found.failed)
    reason = case.refuse[level]
    if said:
        reason += (
            f" (right answers come with {', '.join(map(repr, said.values()))} too)"
        )
    return Verdict(*at, SILENT if found.values else NOT_ATTEMPTED, message=reason)


def verdict(case: Case, level: str, name: str, found: Attempt) -> Verdict:
    """Judge one answer."""
    at = (case.name, level, name)
    if name not in found.values:
        tried = found.failed and name not in found.absent
        why = found.failures.get(name, found.failed)
        text = why if tried else found.absent.get(name, "")
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
