"""Look for what a user's failing arrays are, with what their problem allows."""

from dataclasses import replace
from typing import Any

import numpy

from ..meta_gradients import TaskLoss
from ..networks import Network
from .computation import LOSSES
from .diagnosis import Search
from .explanation import Diagnosis
from .families import FAMILIES
from .families.forward import TABLE
from .families.ground import facts_of
from .families.krylov import WITHIN
from .families.rules import Point as Seen
from .families.rules import holds, without_constants
from .judge import Report
from .own_certificate import DENSE, OwnProblem, Point
from .own_diagnosis import OWN
from .own_laboratory import KrylovLaboratory, OwnCase, OwnLaboratory

INSIDE = 1e-9  # residual of (5) in the basis above which families are not tried
STOPS = {f"cg-{n}" for n in ("steps", "one-step", "five-steps", "tolerance-one")}
STOPS |= {f"cg-{n}-tolerance" for n in ("loose", "relative", "absolute")}
EQUALS = 3  # facts that a number may be said to equal


def diagnosed(
    problem: OwnProblem, report: Report, cases: list[OwnCase], there: Point | None
) -> tuple[Report, tuple[str, ...]]:
    """Return the report with its diagnoses, and what was not tried."""
    if report.passed or not report.verdicts:
        return report, ()
    small = len(problem.theta) <= DENSE
    lab: OwnLaboratory = OwnLaboratory(cases, small and is_known(problem.loss))
    names: set[str] = set(FAMILIES)
    skipped: list[str] = []
    if not small:
        names, skipped = set(), ["inner loops; tensors and single entries of H"]
        with_columns(problem, lab, cases[0], there)
        failing = any(v.answer == "meta_grad" for v in report.verdicts)
        if failing and there and not numpy.ndim(problem.lam):
            reduced = problem.reduced(there)
            if reduced.residual <= INSIDE:
                lab, names = KrylovLaboratory(cases, reduced), set(WITHIN)
        if not names and failing:
            skipped.append("families, for want of one λ and a CG that is short")
        with_columns(problem, lab, cases[0], None if names else there)
    found = OwnSearch(lab, report, names).diagnoses()
    told = tuple(with_facts(d, cases[0]) for d in found)
    return replace(report, diagnoses=told), tuple(skipped)


def with_columns(
    problem: OwnProblem, lab: OwnLaboratory, case: OwnCase, there: Point | None
) -> None:
    """Put known vectors into a laboratory that has no matrices to make them of."""
    lin, u = problem.support(case.phi), case.v
    s, lam = lin.grad, problem.lam
    lab.kept["columns", OWN, "L2", "hvp"] = {
        "H v": lin.hvp(u), "G v": lin.gnvp(u), "v": u, "λ v": lam * u,
        "∇L (∇Lᵀ v)": (s * u).sum(1, keepdims=True) * s, "∇L": s,
    }  # fmt: skip
    if there is not None:
        d = there.phi - problem.theta
        rows = {"g": lam * there.x, "v": there.v, "∇L": s, "(φ − θ)": d}
        rows |= {"Λ (φ − θ)": lam * d, "(H + Λ)⁻¹ v": there.x}
        means = {name: a.mean(0) for name, a in rows.items()}
        for level in ("L4", "L5"):
            lab.kept["columns", OWN, level, "meta_grad"] = means


def with_facts(one: Diagnosis, case: OwnCase) -> Diagnosis:
    """Say what simple facts of the problem its numbers are equal to.

    And what one problem cannot show: why CG ended where it did.
    """
    facts, said = facts_of(case), []
    if any(name in STOPS for name in one.names):
        said.append("A number of steps and a tolerance may end alike on one problem.")
    for text in dict.fromkeys(one.numbers.values()):
        value = float(text.replace("−", "-"))
        seen = [Seen(facts, value, abs(value) * 5e-7)]
        equal = [r.text for r in without_constants(seen) if holds(r, seen)]
        equal = [t for t in dict.fromkeys(equal) if t != text]
        if 0 < len(equal) <= EQUALS and value != 1:
            said.append(f"{text} is {', '.join(equal)} here.")
    return replace(one, note=" ".join([*filter(None, [one.note]), *said]))


class OwnSearch(Search):
    """The search on one problem.

    Args:
        laboratory: The problem.
        report: What was judged.
        names: Families that may be tried.
    """

    def __init__(self, laboratory: OwnLaboratory, report: Report, names: set[str]):
        super().__init__(laboratory, report)
        self.candidates.families = [f for n, f in FAMILIES.items() if n in names]


def is_known(loss: Any) -> bool:
    """Whether the mistakes of the catalogue can be made with a loss: it is all ours."""
    return (
        type(loss) is TaskLoss
        and type(loss.loss) in LOSSES.values()
        and type(loss.net) is Network
        and all(type(layer).__name__ in TABLE for layer in loss.net.layers.values())
    )
