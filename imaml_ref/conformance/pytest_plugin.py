"""The suite inside a user's own tests, one test for each case and level.

    from imaml_ref.conformance.pytest_plugin import conformance_tests

    test_meta_gradient = conformance_tests(MyObject())

or, with arguments of one's own,

    @pytest.mark.parametrize(("case", "level"), questions(["ridge", "mlp-tanh"]))
    def test_meta_gradient(case, level):
        check_level(MyObject(), case, level)

A wrong answer fails with the lines of our report and without a traceback; what the
object has no method for is skipped; an answer where none can be trusted, given without
a warning, is a warning of pytest.  pytest does not load this file by itself.
"""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ..compute import one_blas_thread
from .answers import asked
from .asking import attempt, demand_methods
from .case import Case
from .cells import lines
from .check import name_of, select
from .judge import FAIL, NOT_ATTEMPTED, SILENT, Verdict, judge, judge_level
from .progress import cost
from .suite import load_suite

OTHERS = 4  # small cases that are asked too where a warning is due


class DidNotWarn(UserWarning):
    """An answer was given, without a warning, where none can be trusted."""


def conformance_tests(
    subject: Any, *, cases: Iterable[str] | None = None, dtype: str = "float64"
) -> Callable[..., None]:
    """Return a parametrised test of an object; give it a name that begins with test.

    Args:
        subject: An object with any of the methods of ``conformance.asking``, or a class
            of such objects, made without arguments for every test.
        cases: Names of the cases; all by default.
        dtype: Precision in which it is asked, "float64" or "float32".

    Raises:
        ValueError: If a case has another name.
    """

    @pytest.mark.parametrize(("case", "level"), questions(cases))
    def test_conformance(case, level):
        check_level(subject, case, level, dtype=dtype)

    return test_conformance


def questions(cases: Iterable[str] | None = None) -> list[Any]:
    """Return every case with each of its levels, as parameters for pytest.

    Raises:
        ValueError: If a case has another name.
    """
    chosen = select(load_suite(), cases)
    return [
        pytest.param(case, level, id=f"{case.name}-{level}")
        for case, level in asked(chosen)
    ]


def check_level(
    subject: Any, case: Case, level: str, *, dtype: str = "float64"
) -> None:
    """Ask an object one level of a case; fail, skip or warn as its answers deserve."""
    __tracebackhide__ = True
    subject = subject() if isinstance(subject, type) else subject
    demand_methods(subject)
    with one_blas_thread():
        verdicts = asked_alone(subject, case, level, dtype)
    outcomes = {verdict.outcome for verdict in verdicts}
    if FAIL in outcomes:
        wrong = [lines(v) for v in verdicts if v.outcome == FAIL]
        pytest.fail("\n".join(line for block in wrong for line in block), pytrace=False)
    if outcomes == {NOT_ATTEMPTED}:
        names = ", ".join(v.answer for v in verdicts)
        pytest.skip(f"{name_of(subject)} does not answer {names}")
    if SILENT in outcomes:
        warnings.warn("\n".join(lines(verdicts[0])), DidNotWarn, stacklevel=2)


def asked_alone(subject: Any, case: Case, level: str, dtype: str) -> list[Verdict]:
    """Return the verdicts on one level; a warning is compared with those elsewhere."""
    answered = attempt(subject, case.astype(dtype), level)
    if not (level in case.refuse and answered.warned):
        return judge_level(case, level, answered)
    right = [c for c in load_suite().values() if level in c.answers]
    right = sorted(right, key=cost)[:OTHERS]
    asked_of = {(case.name, level): answered} | {
        (other.name, level): attempt(subject, other.astype(dtype), level)
        for other in right
    }
    report = judge([*right, case], asked_of, among=asked_of)
    return list(report.of(case.name, level))
