"""A report by case and level, and in words: what its table, page and files share."""

from dataclasses import dataclass
from itertools import groupby

from .judge import (
    CONVENTION,
    FAIL,
    NOT_ATTEMPTED,
    PASS,
    SILENT,
    WARNED,
    Report,
    Verdict,
)
from .levels import OUTER_STEPS

# The first of these that a level's answers have is what its cell shows.
GRAVEST = (FAIL, SILENT, CONVENTION, PASS, WARNED, NOT_ATTEMPTED)
OUTCOMES = (PASS, FAIL, NOT_ATTEMPTED, WARNED, SILENT, CONVENTION)


@dataclass(frozen=True)
class Cell:
    """The verdicts on one level of one case.

    Args:
        case: Name of the case.
        level: "L1" to "L7", or "U".
        verdicts: One for each answer.
    """

    case: str
    level: str
    verdicts: tuple[Verdict, ...]

    @property
    def outcome(self) -> str:
        """The gravest outcome."""
        return min((v.outcome for v in self.verdicts), key=GRAVEST.index)

    @property
    def digits(self) -> float | None:
        """The least digits of the answers with that outcome; None without any."""
        same = (v.digits for v in self.verdicts if v.outcome == self.outcome)
        return min((d for d in same if d is not None), default=None)


def cells(report: Report) -> list[Cell]:
    """Return a cell for each level that was judged, in the order of the verdicts."""
    by_level = groupby(report.verdicts, key=lambda v: (v.case, v.level))
    return [Cell(*at, tuple(verdicts)) for at, verdicts in by_level]


def by_case(report: Report) -> dict[str, dict[str, Cell]]:
    """Return the cells of each case by level."""
    found: dict[str, dict[str, Cell]] = {}
    for cell in cells(report):
        found.setdefault(cell.case, {})[cell.level] = cell
    return found


def summary(report: Report) -> str:
    """Return one line: how many passed; apart from it, how many warned."""
    counts = {outcome: report.count(outcome) for outcome in OUTCOMES}
    line = ", ".join(
        f"{counts[outcome]} {word}"
        for outcome, word in ((PASS, "passed"), (FAIL, "failed"), (NOT_ATTEMPTED,) * 2)
    )
    if counts[CONVENTION]:
        line += f", {counts[CONVENTION]} by another convention"
    return (
        f"{line}; of what must be refused, {counts[WARNED]} warned, "
        f"{counts[SILENT]} did not"
    )


def place(verdict: Verdict) -> str:
    """Say where the worst entry is: tensor, task, index; empty without an answer."""
    seen = verdict.agreement
    if seen is None:
        return ""
    index = f"[{', '.join(map(str, seen.entry))}]" if seen.entry else ""
    of_task = f", task {seen.task}" if seen.task is not None else ""
    of_step = " of the step from θ" if verdict.level in OUTER_STEPS else ""
    return (seen.tensor or verdict.answer) + index + of_task + of_step


def number(value: float) -> str:
    """Write a number with the digits that help."""
    return f"{value:.9g}"


def ratio(verdict: Verdict) -> str:
    """Return got over expected; say so where zero is expected."""
    seen = verdict.agreement
    if seen is None:
        return ""
    return f"{seen.ratio:.6g}" if seen.want else "none, zero is expected"


def message(verdict: Verdict) -> str:
    """Return the message without the place that it may begin with."""
    at = f"{verdict.case} {verdict.level} {verdict.answer}"
    return " ".join(verdict.message.removeprefix(at).lstrip(" :").split())


def lines(verdict: Verdict) -> list[str]:
    """Say what is wrong with an answer, in one to three lines."""
    at, text = f"{verdict.case} {verdict.level} {verdict.answer}", message(verdict)
    seen = verdict.agreement
    if seen is None:
        said = "did not warn: " if verdict.outcome == SILENT else ""
        return [f"{at}: {said}{text}"]
    found = [
        f"{at}: {seen.digits:.2f} digits, {verdict.required:.2f} required",
        f"{place(verdict)}: got {number(seen.got)}, expected {number(seen.want)}, "
        f"ratio {ratio(verdict)}",
    ]
    said = "another convention: " if verdict.outcome == CONVENTION else ""
    return found + [said + text] * bool(text)
