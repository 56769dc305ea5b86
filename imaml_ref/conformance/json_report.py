"""A report as a JSON document: every verdict with all that is known about it."""

import json
import math
from collections.abc import Iterable
from typing import Any

from .._version import __version__
from .case import Case
from .cells import OUTCOMES
from .explanation import Diagnosis
from .judge import Report, Verdict

SCHEMA, VERSION = "imaml_ref conformance report", 1
OF_VERDICT = "case", "level", "answer", "outcome", "digits", "required"
OF_WORST = "tensor", "task", "entry", "got", "want", "ratio"
OF_DIAGNOSIS = (
    "text",
    "names",
    "numbers",
    "cases",
    "found_in",
    "level",
    "answer",
    "digits",
    "factor",
)


def as_json(report: Report, cases: Iterable[Case]) -> str:
    """Return a report as a JSON document; what is not a finite number is null.

    Args:
        report: What was found.
        cases: The cases that were judged, for how their answers are certified.
    """
    known = {case.name: case for case in cases}
    document = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "imaml_ref": __version__,
        "suite_version": report.suite_version,
        "subject": report.subject,
        "passed": report.passed,
        "interrupted": report.interrupted,
        "notes": report.notes,
        "summary": {outcome: report.count(outcome) for outcome in OUTCOMES},
        "verdicts": [row(v, known[v.case]) for v in report.verdicts],
        "diagnoses": [diagnosis(d) for d in report.diagnoses],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def row(verdict: Verdict, case: Case) -> dict[str, Any]:
    """Return a verdict with the certificate of the answer it is about."""
    known = {name: getattr(verdict, name) for name in OF_VERDICT}
    worst = {name: getattr(verdict.agreement, name, None) for name in OF_WORST}
    answer = case.answers.get(verdict.level, {}).get(verdict.answer)
    certificate = {
        "certified_digits": answer and answer.certified,
        "kappa": answer and answer.kappa,
        "routes": answer.routes if answer else (),
    }
    return finite(known | worst | {"message": verdict.message} | certificate)


def diagnosis(found: Diagnosis) -> dict[str, Any]:
    """Return what a diagnosis says, of what and how surely."""
    return finite({name: getattr(found, name) for name in OF_DIAGNOSIS})


def finite(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with None in place of numbers that are not finite."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in document.items()
    }
