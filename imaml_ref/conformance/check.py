"""Check an object, or a file of answers, against the suite."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..compute import one_blas_thread
from .answers import Attempts, asked, read_answers, version_of
from .asking import answers_to
from .case import Case
from .judge import Report, judge
from .levels import LEVELS
from .progress import Line, ctrl_c
from .suite import load_suite


def check(
    subject: Any,
    *,
    cases: Iterable[str] | None = None,
    levels: Iterable[str] | None = None,
    dtype: str = "float64",
    suite: str | Path | None = None,
    observe: Callable[[Case, str], Any] | None = None,
) -> Report:
    """Ask an object what the suite asks, and judge its answers.

    A terminal shows how far it is.  Ctrl-C ends the asking, and the report is then on
    what was answered until then: see its ``interrupted``.

    Args:
        subject: An object with any of the methods of ``conformance.asking``.
        cases: Names of the cases; all by default.
        levels: Names of the levels, such as ("L1", "L4"); all by default.
        dtype: Precision in which it is asked, "float64" or "float32".
        suite: A suite; by default the one that comes with the package.
        observe: Called before each level with the case and the level.

    Raises:
        TypeError: If the object has none of the methods.
        ValueError: If a case or a level has another name, or none of the cases asks for
            any of the levels.
    """
    chosen = select(load_suite(suite), cases)
    questions = at_levels(chosen, levels)
    attempts, stopped = answered(subject, questions, dtype, observe)
    report = judge(chosen, attempts, name_of(subject), among=attempts)
    notes = tuple(getattr(subject, "notes", ()))
    framework = str(getattr(subject, "framework", ""))
    return replace(report, interrupted=stopped, notes=notes, framework=framework)


def answered(
    subject: Any,
    questions: Sequence[tuple[Case, str]],
    dtype: str,
    observe: Callable[[Case, str], Any] | None,
) -> tuple[Attempts, str]:
    """Return the answers until the end, or until Ctrl-C; and what was then asked."""
    line, attempts = Line(questions), {}

    def watch(case: Case, level: str) -> None:
        line.asked(case, level)
        if observe is not None:
            observe(case, level)

    try:
        with one_blas_thread(), ctrl_c() as stopped:
            for at, attempt in answers_to(subject, questions, dtype, watch):
                if stopped.is_set():  # and the subject went on as if it were not
                    break
                attempts[at] = attempt
    except KeyboardInterrupt:
        stopped.set()
    finally:
        line.end()
    case, level = questions[max(line.done - 1, 0)]
    return attempts, f"{level} of {case.name}" if stopped.is_set() else ""


def check_file(
    path: str | Path,
    *,
    cases: Iterable[str] | None = None,
    levels: Iterable[str] | None = None,
    suite: str | Path | None = None,
) -> Report:
    """Judge a file of answers.

    Args:
        path: The file.
        cases: Names of the cases; all by default.
        levels: Names of the levels; all by default.
        suite: A suite; by default the one of the version that the file answers.

    Raises:
        FileNotFoundError: If there is no such file.
        BadFile: If it is truncated, foreign, of a newer version, or answers a suite of
            a version that is unknown.
        ValueError: If a case or a level has another name, or none of the cases asks for
            any of the levels.
    """
    version = version_of(path)
    known = load_suite(suite, version=version)
    attempts = read_answers(path, known)
    chosen = select(known, cases)
    among = {(case.name, level) for case, level in at_levels(chosen, levels)}
    return judge(chosen, attempts, Path(path).name, version, among=among)


def at_levels(
    cases: Iterable[Case], levels: Iterable[str] | None
) -> list[tuple[Case, str]]:
    """Return what is asked of some cases at some levels, all if there are none.

    Raises:
        ValueError: If a level has another name, or no case asks for any of them.
    """
    wanted = [levels] if isinstance(levels, str) else list(levels or LEVELS)
    for name in wanted:
        if name not in LEVELS:
            raise ValueError(f"no level {name!r}; there are {', '.join(LEVELS)}")
    found = [(case, level) for case, level in asked(cases) if level in wanted]
    if not found:
        raise ValueError(f"none of the cases asks for {' or '.join(wanted)}")
    return found


def select(known: dict[str, Case], names: Iterable[str] | None) -> list[Case]:
    """Return the cases of some names, all if there are none.

    Raises:
        ValueError: If a case has another name.
    """
    wanted = list(known) if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise ValueError(f"no case {name!r}; there are {', '.join(known)}")
    return [known[name] for name in wanted]


def name_of(subject: Any) -> str:
    """Return what an object calls itself, or the name of its class."""
    return str(getattr(subject, "name", "") or type(subject).__name__)
