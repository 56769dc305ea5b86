"""Check an object, or a file of answers, against the suite."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..compute import one_blas_thread
from .answers import read_answers, version_of
from .asking import ask
from .case import Case
from .judge import Report, judge
from .suite import load_suite


def check(
    subject: Any,
    *,
    cases: Iterable[str] | None = None,
    dtype: str = "float64",
    suite: str | Path | None = None,
    observe: Callable[[Case, str], Any] | None = None,
) -> Report:
    """Ask an object what the suite asks, and judge its answers.

    Args:
        subject: An object with any of the methods of ``conformance.asking``.
        cases: Names of the cases; all by default.
        dtype: Precision in which it is asked, "float64" or "float32".
        suite: A suite; by default the one that comes with the package.
        observe: Called before each level with the case and the level.

    Raises:
        TypeError: If the object has none of the methods.
        ValueError: If a case has another name.
    """
    chosen = select(load_suite(suite), cases)
    with one_blas_thread():
        attempts = ask(subject, chosen, dtype, observe)
    return judge(chosen, attempts, name_of(subject))


def check_file(
    path: str | Path,
    *,
    cases: Iterable[str] | None = None,
    suite: str | Path | None = None,
) -> Report:
    """Judge a file of answers.

    Args:
        path: The file.
        cases: Names of the cases; all by default.
        suite: A suite; by default the one of the version that the file answers.

    Raises:
        FileNotFoundError: If there is no such file.
        BadFile: If it is truncated, foreign, of a newer version, or answers a suite of
            a version that is unknown.
        ValueError: If a case has another name.
    """
    version = version_of(path)
    known = load_suite(suite, version=version)
    attempts = read_answers(path, known)
    return judge(select(known, cases), attempts, Path(path).name, version)


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
