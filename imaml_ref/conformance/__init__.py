"""Tell anyone whether their meta-gradient is right, and if not, which mistake it is.

report = conformance.check(obj)         any of loss, grad, hvp, gnvp, solve, …
report = conformance.check_file(path)   answers that another program wrote
report = conformance.diagnose(report)   names the mistakes behind what fails
print(conformance.as_text(report))      or as_html, as_json

Knows answers.  Must not know who gave them, nor need their library: PyTorch and JAX are
met in ``from_torch`` and ``from_jax`` alone, pytest in ``pytest_plugin``.
"""

from .answers import Attempt, BadAnswer, read_answers, write_answers
from .asking import ask
from .case import Answer, Case
from .check import check, check_file, select
from .computation import Computation, Refused
from .diagnosis import diagnose
from .engine import Engine
from .html import as_html
from .json_report import as_json
from .judge import CONVENTION, FAIL, NOT_ATTEMPTED, PASS, Report, Verdict, judge
from .levels import LEVELS
from .mutants import Mistake
from .own_problem import OwnDiagnosis, diagnose_at
from .suite import SUITE_VERSION, export_inputs, load_suite
from .text import as_table, as_text, below, described, fitted

__all__ = [
    "CONVENTION",
    "FAIL",
    "LEVELS",
    "NOT_ATTEMPTED",
    "PASS",
    "SUITE_VERSION",
    "Answer",
    "Attempt",
    "BadAnswer",
    "Case",
    "Computation",
    "Engine",
    "Mistake",
    "OwnDiagnosis",
    "Refused",
    "Report",
    "Verdict",
    "as_html",
    "as_json",
    "as_table",
    "as_text",
    "ask",
    "below",
    "check",
    "check_file",
    "described",
    "diagnose",
    "diagnose_at",
    "export_inputs",
    "fitted",
    "judge",
    "load_suite",
    "read_answers",
    "select",
    "write_answers",
]
