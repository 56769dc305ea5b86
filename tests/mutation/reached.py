"""What tests come to a marked statement: the map of ``rest.py``.

As a plugin of pytest (``-p reached``) it notes how each test ended and how long it
took.  Its files are in the folder that REACHED names; subprocesses of a test write
there, too, and know its name from pytest's own variable.
"""

import os
from pathlib import Path

_seen: set[tuple[int, str]] = set()


def mark(number: int) -> None:
    """Note that the running test came to a statement."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    if (number, test) not in _seen and "REACHED" in os.environ:
        _seen.add((number, test))
        note("marks.tsv", str(number), test)


def note(name: str, *fields: str) -> None:
    """Append a line to a file of the map, at once, for others do, too."""
    with Path(os.environ["REACHED"], name).open("a", encoding="utf-8") as file:
        file.write("\t".join(fields) + "\n")


def pytest_runtest_logreport(report) -> None:
    """Note the end of a part of a test."""
    if not hasattr(report, "node"):  # what a worker of xdist has noted itself
        seconds = f"{report.duration:.3f}"
        note("ends.tsv", report.nodeid, report.when, report.outcome, seconds)
