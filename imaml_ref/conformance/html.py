"""A report as one page without scripts or outside resources: page.html, filled in.

Every cell of the matrix is a button that opens its detail, a popover of the browser's
own: Escape closes it, and the keyboard reaches all of them.
"""

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from string import Template

from .._version import __version__
from .case import Answer, Case
from .cells import Cell, by_case, message, number, place, ratio, summary
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
from .levels import LEVELS
from .suite import load_suite
from .text import mark

CLASSES = {
    PASS: "pass",
    FAIL: "fail",
    NOT_ATTEMPTED: "none",
    WARNED: "warned",
    SILENT: "silent",
    CONVENTION: "convention",
}


def as_html(report: Report, cases: Iterable[Case] | None = None) -> str:
    """Return a report as a self-contained HTML page.

    Args:
        report: What was found.
        cases: The cases that were judged, for their titles and certificates; by default
            those of the suite that comes with the package.
    """
    ours = load_suite(version=report.suite_version).values() if cases is None else cases
    known = {c.name: c for c in ours}
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    failed, passed = report.count(FAIL), report.count(PASS)
    return Template(page).substitute(
        subject=escape(report.subject),
        state="fail" if failed else "pass" if passed else "none",
        verdict=escape(headline(failed, passed)),
        summary=escape(summary(report)),
        suite=escape(report.suite_version),
        version=escape(__version__),
        diagnoses=diagnoses(report),
        head="".join(heading(level) for level in LEVELS),
        rows="\n".join(
            row(known[name], found) for name, found in by_case(report).items()
        ),
    )


def headline(failed: int, passed: int) -> str:
    """Say how it went, in a few words."""
    if failed:
        return f"{failed} of {failed + passed} answers fail"
    return f"All {passed} answers pass" if passed else "Nothing passed, nothing failed"


def diagnoses(report: Report) -> str:
    """Return a section with what was recognised; empty if nothing was looked for."""
    items = "".join(f"<li>{escape(d.text)}</li>" for d in report.diagnoses)
    return f"<section><h2>Diagnosis</h2><ul>{items}</ul></section>" if items else ""


def heading(level: str) -> str:
    """Return the head of a column."""
    title = escape(LEVELS[level].title)
    return f'<th scope="col">{level}<small>{title}</small></th>'


def row(case: Case, found: dict[str, Cell]) -> str:
    """Return the row of a case."""
    cells = "".join(
        filled(case, found[level]) if level in found else "<td></td>"
        for level in LEVELS
    )
    name, title = escape(case.name), escape(case.title)
    return f'<tr><th scope="row">{name}<small>{title}</small></th>{cells}</tr>'


def filled(case: Case, cell: Cell) -> str:
    """Return a cell: a button, and the detail that it opens."""
    at, text = escape(f"{cell.case}-{cell.level}"), mark(cell)
    label = escape(f"{cell.case}, {cell.level}: {cell.outcome} {text}")
    return (
        f'<td class="{CLASSES[cell.outcome]}">'
        f'<button popovertarget="{at}" aria-label="{label}">{escape(text)}</button>'
        f'<div id="{at}" popover>{"".join(detail(case, cell))}</div></td>'
    )


def detail(case: Case, cell: Cell) -> Iterator[str]:
    """Yield what a cell opens: the case, then each of its answers."""
    level = LEVELS[cell.level]
    yield f"<h3>{escape(case.name)} · {level.name} {escape(level.title)}</h3>"
    yield f"<p>{escape(case.title)}</p>"
    if case.network:
        yield f"<p class=net>{escape(problem(case))}</p>"
    for verdict in cell.verdicts:
        answer = case.answers.get(cell.level, {}).get(verdict.answer)
        yield (
            f'<h4 class="{CLASSES[verdict.outcome]}">{escape(verdict.answer)}: '
            f"{escape(verdict.outcome)}</h4>"
        )
        facts = [*seen(verdict), *(certificate(answer) if answer else ())]
        yield "<dl>" + "".join(fact(*pair) for pair in facts) + "</dl>"


def problem(case: Case) -> str:
    """Describe a problem in one line."""
    layers = " → ".join(entry["type"] for entry in (case.network or {})["layers"])
    lam = f"λ = {case.lam:g}" if case.inputs["lam"].ndim == 0 else "a λ per parameter"
    tasks = "one task" if case.num_tasks == 1 else f"{case.num_tasks} tasks"
    return f"{layers}; {case.loss}, {len(case.theta)} parameters, {tasks}, {lam}"


def seen(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Yield what is known of an answer, by name."""
    found = verdict.agreement
    if found is not None:
        yield "digits", f"{found.digits:.2f} (required: {verdict.required:.2f})"
        yield "worst", place(verdict)
        yield "got", number(found.got)
        yield "expected", number(found.want)
        yield "ratio", ratio(verdict)
    if verdict.message:
        yield "message", message(verdict)


def certificate(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield how the right answer is known."""
    yield "certified", f"to {answer.certified:.1f} digits, by two routes"
    yield "", answer.routes[0]
    yield "", answer.routes[1]
    yield "κ", f"{answer.kappa:.3g}"


def fact(name: str, value: str) -> str:
    """Return one line of a detail."""
    return f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
