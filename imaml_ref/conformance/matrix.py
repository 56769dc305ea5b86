"""Which mistake fails which case, and where first.

    python -m imaml_ref.conformance.matrix                        prints the matrix
    python -m imaml_ref.conformance.matrix conformance-mutants.md   writes the page too

A mistake is looked for up to the level that it is about: one that shows with φ* given
up to L4, one of the inner problem up to L5, one of the outer step up to L7, one of the
unrolled steps at U.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from ..compute import one_blas_thread
from .answers import Attempt
from .asking import attempt
from .case import Case
from .judge import FAIL, SILENT, Verdict, judge_level
from .laboratory import Laboratory
from .levels import LEVELS
from .mutants import CATALOGUE, TOPICS, Mistake, combined, mistakes_of, sentence
from .suite import load_suite

REACH = {"L1": "L4", "L2": "L4", "L3": "L4", "L4": "L4", "L5": "L5", "U": "U"}
PASSED, UNWARNED = "·", "w"
COMMAND = "python -m imaml_ref.conformance.matrix docs/conformance-mutants.md"

Matrix = dict[str, dict[str, str]]  # mistake → case → first failing level, or ""


def matrix(cases: Mapping[str, Case], laboratory: Laboratory | None = None) -> Matrix:
    """Return, for every mistake and case, the first level that fails; "" if none does.

    Args:
        cases: The cases by name, with their answers.
        laboratory: Answers of mistakes computed before, for the same cases.
    """
    laboratory = laboratory or Laboratory(cases)
    return {
        name: {
            case.name: first_failure(laboratory, name, case) for case in cases.values()
        }
        for name in CATALOGUE
    }


def first_failure(laboratory: Laboratory, name: str, case: Case) -> str:
    """Return the first level of a case at which a mistake fails, or does not warn."""
    for level in case.levels:
        if level > REACH.get(CATALOGUE[name].level, "L7"):
            break
        verdicts = judged(laboratory, name, case, level)
        if any(verdict.outcome in (FAIL, SILENT) for verdict in verdicts):
            return level
    return ""


def judged(laboratory: Laboratory, name: str, case: Case, level: str) -> list[Verdict]:
    """Return the verdicts on what a mistake answers to one level."""
    if level in case.refuse:
        loud = combined(name, shared=laboratory.shared)
        return judge_level(case, level, attempt(loud, case, level))
    found = Attempt(laboratory.answers((name,), case.name, level))
    return judge_level(case, level, found)


def as_text(found: Matrix, cases: Mapping[str, Case]) -> str:
    """Return the matrix as text: a row for each mistake, a column for each case."""
    wide = max(map(len, found))
    lines = [f"{'':{wide}} {row}" for row in stacked(list(cases))]
    for name, row in found.items():
        lines.append(f"{name:{wide}} {''.join(mark(row[c], cases[c]) for c in cases)}")
    return "\n".join(lines)


def mark(level: str, case: Case) -> str:
    """Return the sign for a cell: the number of the level, w for "did not warn"."""
    if not level:
        return PASSED
    return UNWARNED if level in case.refuse else level.removeprefix("L")


def stacked(names: list[str]) -> list[str]:
    """Write names from top to bottom, side by side."""
    tall = max(map(len, names))
    return ["".join(row) for row in zip(*(n.rjust(tall) for n in names), strict=True)]


def page(found: Matrix, cases: Mapping[str, Case]) -> str:
    """Return the page of the catalogue and the matrix, as Markdown."""
    return "\n".join([*catalogue(), *tail(found, cases)])


def catalogue() -> list[str]:
    """Return the lines that list the mistakes."""
    lines = [
        "# The catalogue of mistakes",
        "",
        f"{len(CATALOGUE)} mistakes, each a small variant of the reference computation "
        "in `imaml_ref/conformance/mutants/`. A failing answer is compared with what "
        "each of them would have given. This page is written by",
        "",
        f"    {COMMAND}",
        "",
    ]
    for topic in TOPICS:
        title = (topic.__doc__ or "").split("\n")[0]
        lines += [f"## {title.removesuffix('.')}", "", *table(mistakes_of(topic)), ""]
    return lines


def table(mistakes: list[type[Mistake]]) -> list[str]:
    """Return the lines of a table of mistakes."""
    head = "| name | what it is | typical effect | shows from | found in |"
    rows = [
        f"| `{m.name}` | {sentence(m.name)} | {m.effect} | {m.level} | {m.found_in} |"
        for m in mistakes
    ]
    return [head, "|---|---|---|---|---|", *rows]


def tail(found: Matrix, cases: Mapping[str, Case]) -> list[str]:
    """Return the lines with the matrix."""
    levels = ", ".join(
        f"{name.removeprefix('L')} {level.title}" for name, level in LEVELS.items()
    )
    return [
        "## Mistakes and cases",
        "",
        f"The first level at which a mistake fails a case: {levels}; "
        f"{UNWARNED} it does not warn where it must; {PASSED} it cannot be seen.",
        "",
        "```text",
        as_text(found, cases),
        "```",
        "",
    ]


def main(arguments: list[str]) -> None:
    """Print the matrix; write the page if a path is given."""
    cases = load_suite()
    with one_blas_thread():
        found = matrix(cases)
    print(as_text(found, cases))
    for path in arguments:
        Path(path).write_text(page(found, cases), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
