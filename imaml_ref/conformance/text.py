"""A report for a terminal: a matrix, what failed, and what it probably is.

    case             L1      L2      L4
    ridge          15.6    15.4   ✗ 0.3

A number is the digits of the worst tensor.
"""

from collections.abc import Iterator
from math import floor
from textwrap import fill
from typing import Any

from .cells import Cell, by_case, lines, summary
from .judge import CONVENTION, FAIL, NOT_ATTEMPTED, PASS, SILENT, WARNED, Report
from .levels import LEVELS

MARKS = {
    FAIL: "✗",
    NOT_ATTEMPTED: "·",
    WARNED: "warned",
    SILENT: "!",
    CONVENTION: "≈",
}
STYLES = {
    PASS: "green",
    FAIL: "bold red",
    SILENT: "bold yellow",
    WARNED: "cyan",
    CONVENTION: "cyan",
}
LEGEND = (
    "digits of the worst tensor;  ✗ too few, or nothing to compare;  "
    "· not attempted;  ! did not warn;  ≈ another convention"
)
WIDTH = 88
# For streams that cannot hold them.
SPELLED = {
    "✗": "x", "·": "-", "−": "-", "–": "-", "…": "...", "→": "->", "↦": "->",
    "×": "x", "‖": "|", "∇": "grad ", "√": "sqrt ", "∞": "inf", "ᵀ": "^T",
    "θ": "theta", "φ": "phi", "λ": "lam", "Λ": "Lam", "κ": "kappa", "ε": "eps",
    "γ": "gamma", "β": "beta", "σ": "sigma", "ρ": "rho", "′": "'", "″": "''",
    "⁻": "-", "¹": "1", "²": "2", "½": "1/2", "≥": ">=", "≤": "<=", "≠": "!=",
    "≈": "~",
}  # fmt: skip


def as_text(report: Report, most: int | None = None) -> str:
    """Return the whole report in plain text.

    Args:
        report: What was found.
        most: Failures to describe, at most; all by default.
    """
    parts = [matrix(report), below(report), *described(report, most)]
    return "\n\n".join(part for part in parts if part)


def as_table(report: Report) -> Any:
    """Return the matrix as a ``rich.table.Table``, in colours."""
    # Imported here: a library that only wants the verdicts need not have rich.
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("case", no_wrap=True)
    shown = shown_levels(report)
    for level in shown:
        table.add_column(level, justify="right", no_wrap=True)
    for case, found in rows(report):
        of_case = (found.get(level) for level in shown)
        marks = (Text(mark(cell), style(cell)) for cell in of_case)
        table.add_row(case, *marks)
    return table


def matrix(report: Report) -> str:
    """Return the matrix in plain text: one row per case in which something was done."""
    shown = shown_levels(report)
    table = [["case", *shown]]
    table += [
        [case, *(mark(found.get(level)) for level in shown)]
        for case, found in rows(report)
    ]
    width = max(len(row[0]) for row in table)
    return "\n".join(
        (row[0].ljust(width) + "".join(f"{text:>8}" for text in row[1:])).rstrip()
        for row in table
    )


def below(report: Report) -> str:
    """Return the lines below the matrix: legend, what was left out, summary."""
    left = [case for case, found in by_case(report).items() if not done(found)]
    words = [LEGEND]
    if left:
        words.append(
            fill(f"not attempted: {', '.join(left)}", WIDTH, break_on_hyphens=False)
        )
    words.append(f"{report.subject}, suite {report.suite_version}: {summary(report)}")
    return "\n".join(words)


def described(report: Report, most: int | None = None) -> Iterator[str]:
    """Yield a block for each failure, then one with the diagnoses.

    The lowest level comes first: the others build on it.
    """
    shown = (FAIL, SILENT, CONVENTION)
    wrong = [v for v in report.verdicts if v.outcome in shown]
    wrong.sort(key=lambda v: (shown.index(v.outcome), v.level))
    for verdict in wrong[:most]:
        yield f"{MARKS[verdict.outcome]} " + "\n    ".join(lines(verdict))
    hidden = len(wrong[most:]) if most is not None else 0
    if hidden:
        yield f"and {hidden} more failures"
    if report.diagnoses:
        found = [f"  {' '.join(d.text.split())}" for d in report.diagnoses]
        yield "\n".join(["Diagnosis", *found])


def rows(report: Report) -> list[tuple[str, dict[str, Cell]]]:
    """Return the cases in which something was attempted, with their cells."""
    return [(case, found) for case, found in by_case(report).items() if done(found)]


def done(found: dict[str, Cell]) -> bool:
    """Whether anything was attempted in a case."""
    return any(cell.outcome != NOT_ATTEMPTED for cell in found.values())


def shown_levels(report: Report) -> list[str]:
    """Return the levels that the rows have."""
    return [n for n in LEVELS if any(n in found for _, found in rows(report))]


def style(cell: Cell | None) -> str:
    """Return how a cell is written."""
    return STYLES.get(cell.outcome, "dim") if cell else "dim"


def mark(cell: Cell | None) -> str:
    """Return the text of a cell; empty where nothing is asked."""
    if cell is None:
        return ""
    return f"{MARKS.get(cell.outcome, '')} {shortened(cell.digits)}".strip()


def shortened(digits: float | None) -> str:
    """Return digits with one decimal, rounded down: what lacks a little shows it."""
    return "" if digits is None else f"{floor(10 * digits) / 10:.1f}"


def fitted(text: str, encoding: str) -> str:
    """Return a text as a stream of some encoding can hold it."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for letter, spelling in SPELLED.items():
            text = text.replace(letter, spelling)
        return text.encode(encoding, "replace").decode(encoding)
    return text
