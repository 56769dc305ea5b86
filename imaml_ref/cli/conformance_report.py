"""How a report on a meta-gradient is made, shown and written by the commands."""

import sys
from pathlib import Path
from typing import Any

from ..files import atomic_path
from .errors import CHECK_FAILED, WRONG_INPUT, Stop, refusing


def split(names: str | None) -> list[str] | None:
    """Return the names of cases in a flag; None, which means all, if it is absent."""
    return None if names is None else [name.strip() for name in names.split(",")]


def choose(names: str | None) -> list[Any]:
    """Return the cases that a flag names, all if it is absent."""
    from ..conformance import load_suite, select

    return select(load_suite(), split(names))


def cases_of(report: Any) -> Any:
    """Return the cases of the suite by which a report was made."""
    from ..conformance import load_suite

    return load_suite(version=report.suite_version).values()


def judged(file: Path, names: str | None) -> Any:
    """Return the report on a file of answers."""
    from ..conformance import check_file

    with refusing():
        return check_file(file, cases=split(names))


def diagnosed(report: Any) -> Any:
    """Return a report with what its failures are."""
    from ..conformance import diagnose

    return diagnose(report)


def conclude(
    report: Any, json_file: Path | None, html_file: Path | None, failures: int
) -> None:
    """Show a report, write it, and end as it deserves.

    Raises:
        Stop: With exit status 1 if something failed, 2 if nothing was attempted.
    """
    from ..conformance import FAIL, NOT_ATTEMPTED, PASS, as_html, as_json

    if report.count(NOT_ATTEMPTED) == len(report.verdicts):
        raise Stop(WRONG_INPUT, f"{report.subject} answers nothing that is asked")
    try:
        for path, write in ((json_file, as_json), (html_file, as_html)):
            if path is not None:
                with refusing(), atomic_path(path) as temporary:
                    text = write(report, cases_of(report))
                    temporary.write_text(text, encoding="utf-8")
    finally:
        show(report, failures)
    failed, passed = report.count(FAIL), report.count(PASS)
    if failed:
        raise Stop(CHECK_FAILED, f"{failed} of {failed + passed} answers failed")


def show(report: Any, failures: int) -> None:
    """Print a report: in colours on a terminal, plain elsewhere."""
    from rich.console import Console

    from ..conformance import as_table, as_text, below, described, fitted

    console, text = Console(), as_text(report, failures)
    if not console.is_terminal or fitted(text, encoding()) != text:
        say(text)
        return
    console.print(as_table(report))
    say("\n\n".join([below(report), *described(report, failures)]))


def say(text: str) -> None:
    """Print a text as standard output can hold it."""
    from ..conformance import fitted

    print(fitted(text, encoding()), flush=True)


def encoding() -> str:
    """Return the encoding of standard output."""
    return sys.stdout.encoding or "utf-8"
