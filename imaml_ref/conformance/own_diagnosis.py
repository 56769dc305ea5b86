"""What is to be said of arrays that a user computed on a problem of their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from .explanation import Diagnosis
from .judge import Report, Verdict

OWN, QUERY = "own problem", "query set"  # names of cases: ∇L of the second is v


@dataclass(frozen=True)
class OwnDiagnosis:
    """What is to be said of arrays that a user computed.

    Args:
        certified: Digits in which two routes agree, by what they certify.
        refused: What has no certificate, and why.
        report: The verdicts, in digits, and the diagnoses.
        at_solution: Digits of the meta-gradient compared with that at φ*, where it is
            judged at the user's φ; None otherwise.
        stationarity: ‖∇G‖ at the user's φ over the norms of its parts; None without.
        not_tried: What was not tried, and why.
    """

    certified: Mapping[str, float]
    refused: Mapping[str, str]
    report: Report
    at_solution: float | None = None
    stationarity: float | None = None
    not_tried: tuple[str, ...] = ()

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """What the failing answers are."""
        return self.report.diagnoses

    @property
    def text(self) -> str:
        """Everything, line by line."""
        lines = [f"Certified by two routes: {in_digits(self.certified)}."]
        lines += [f"Refused, {name}: {why}." for name, why in self.refused.items()]
        if self.stationarity is not None:
            lines.append(f"At your φ, ‖∇G‖ is {self.stationarity:.1e} of its parts.")
        for v in self.report.verdicts:
            digits = "" if v.digits is None else f", {v.digits:.1f} digits"
            more = f" ({v.message})" if v.message else ""
            lines.append(f"{told(v)}: {v.outcome}{digits}{more}")
        if self.at_solution is not None:
            lines.append(f"meta_grad beside that at φ*: {self.at_solution:.1f} digits")
        lines += [f"{d.answer}: {d.what}" for d in self.diagnoses]
        lines += [f"Not tried: {what}." for what in self.not_tried]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text


def told(v: Verdict) -> str:
    """Return what a verdict is about."""
    if v.case == QUERY:
        return "v"
    return f"{v.answer} at your φ" if v.level == "L4" else v.answer


def in_digits(certified: Mapping[str, float]) -> str:
    """Return names with their digits."""
    return ", ".join(f"{n} {d:.1f} digits" for n, d in certified.items()) or "nothing"
