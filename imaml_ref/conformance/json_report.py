"""A report as a JSON document: every verdict with all that is known about it."""

import json
import math
from collections.abc import Iterable
from typing import Any

from .._version import __version__
from .case import Case
from .cells import OUTCOMES
from .judge import Report, Verdict

SCHEMA, VERSION = "imaml_ref conformance report", 1


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
        "summary": {outcome: report.count(outcome) for outcome in OUTCOMES},
        "verdicts": [row(v, known[v.case]) for v in report.verdicts],
        "diagnoses": [diagnosis(d) for d in report.diagnoses],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def row(verdict: Verdict, case: Case) -> dict[str, Any]:
    """Return a verdict with the certificate of the answer it is about."""
    seen = verdict.agreement
    return {
        "case": verdict.case,
        "level": verdict.level,
        "answer": verdict.answer,
        "outcome": verdict.outcome,
        "digits": verdict.digits,
        "required": verdict.required,
        "tensor": seen and seen.tensor,
        "task": seen and seen.task,
        "entry": seen and list(seen.entry),
        "got": seen and finite(seen.got),
        "want": seen and finite(seen.want),
        "ratio": seen and finite(seen.ratio),
        "message": verdict.message,
    } | certificate(verdict, case)


def certificate(verdict: Verdict, case: Case) -> dict[str, Any]:
    """Return how the right answer is known; nothing where there is none."""
    answer = case.answers.get(verdict.level, {}).get(verdict.answer)
    if answer is None:
        return {"certified_digits": None, "kappa": None, "routes": []}
    return {
        "certified_digits": answer.certified,
        "kappa": finite(answer.kappa),
        "routes": list(answer.routes),
    }


def diagnosis(found: Any) -> dict[str, Any]:
    """Return what a diagnosis says and, where it says so, of what and how surely."""
    lists = ("names", "cases", "found_in")
    numbers = {name: getattr(found, name, None) for name in ("digits", "factor")}
    return (
        {"text": str(found.text)}
        | {name: list(getattr(found, name, ())) for name in lists}
        | {name: getattr(found, name, None) for name in ("level", "answer")}
        | {name: None if n is None else finite(n) for name, n in numbers.items()}
    )


def finite(number: float) -> float | None:
    """Return a number, or None if it is not finite."""
    return float(number) if math.isfinite(number) else None
