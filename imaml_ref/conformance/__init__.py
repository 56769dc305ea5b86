"""Tell anyone whether their meta-gradient is right, and if not, which mistake it is.

report = conformance.check(obj)         any of loss, grad, hvp, gnvp, solve, …
report = conformance.check_file(path)   answers that another program wrote
report = conformance.diagnose(report)   names the mistakes behind what fails
print(conformance.as_text(report))      or as_html, as_json
"""

from .answers import Attempt, BadAnswer, read_answers, write_answers
from .asking import ask
from .case import Answer, Case
from .check import check, check_file
from .computation import Computation, Refused
from .diagnosis import diagnose
from .engine import Engine
from .html import as_html
from .json_report import as_json
from .judge import Report, Verdict, judge
from .levels import LEVELS
from .suite import export_inputs, load_suite
from .text import as_text

__all__ = [
    "LEVELS",
    "Answer",
    "Attempt",
    "BadAnswer",
    "Case",
    "Computation",
    "Engine",
    "Refused",
    "Report",
    "Verdict",
    "as_html",
    "as_json",
    "as_text",
    "ask",
    "check",
    "check_file",
    "diagnose",
    "export_inputs",
    "judge",
    "load_suite",
    "read_answers",
    "write_answers",
]
