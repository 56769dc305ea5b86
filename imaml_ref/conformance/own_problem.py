"""Diagnose on the user's own network, λ and data, from arrays that were computed.

    found = diagnose_at({"phi": phi, "meta_grad": g}, loss, theta, tasks, lam=2.0)
    print(found)

What is right is computed here and certified (``own_certificate``).  With P ≤ 400 the
problem is a case like any other, and all that ``diagnosis`` knows is tried; beyond it,
with one λ, the families of ``krylov.WITHIN`` are, from products with H alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from ..compute import one_blas_thread
from ..data import TaskBatch
from ..meta_gradients import TaskLoss
from .agreement import agreement
from .answers import Attempt
from .case import Answer, Array
from .certify import ROUNDOFF, has_zero, required_digits
from .computation import LOSSES, Refused
from .explanation import Diagnosis
from .families import FAMILIES
from .families.ground import facts_of, swapped
from .families.krylov import WITHIN
from .families.rules import Point as Seen
from .families.rules import holds, without_constants
from .judge import Report, Verdict, verdict
from .own_certificate import DENSE, OwnProblem, Point, digits_of, enough
from .own_laboratory import (
    KrylovLaboratory,
    OwnCase,
    OwnLaboratory,
    OwnSearch,
    is_known,
)
from .plain import described

NAMES = ("phi", "loss", "grad", "v", "direction", "hvp", "meta_grad", "lam_grad")
OWN, QUERY = "own problem", "query set"  # names of cases: ∇L of the second is v
INSIDE = 1e-9  # residual of (5) in the basis above which families are not tried
USUAL = 1e3  # condition number of L and its derivatives, not worth measuring
EQUALS = 3  # facts that a number may be said to equal


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


def diagnose_at(
    mine: Any, loss: TaskLoss, theta: Array, tasks: TaskBatch, *, lam: Any = 2.0
) -> OwnDiagnosis:
    """Judge arrays that a user computed on a problem of their own, and diagnose them.

    Args:
        mine: A dict, or an object with attributes, of some of ``phi`` (T, P), the
            user's solutions of (1); at them, or else at φ*: ``loss`` (T,) and ``grad``
            (T, P) of the support set, ``v`` (T, P) of the query set, ``hvp`` (T, P)
            along ``direction`` (P,) or (T, P), ``meta_grad`` (P,), and ``lam_grad``
            like λ.
        loss: The loss on our layers, to which the arrays are said to belong.
        theta: θ, (P,).
        tasks: A batch of tasks.
        lam: λ > 0, a number or (P,), in loss/parameter².

    Raises:
        TypeError: If tasks are no ``TaskBatch``, or loss has no network.
        ValueError: If an array has not its shape, is not finite, or there is none.
    """
    return judged(problem_of(loss, theta, tasks, lam), mine)


def problem_of(loss: TaskLoss, theta: Array, tasks: TaskBatch, lam: Any) -> OwnProblem:
    """Return the problem, in float64; what is computed for it is computed once.

    Raises:
        TypeError: See ``diagnose_at``.
        ValueError: If λ is not positive, or of another shape.
    """
    if not isinstance(tasks, TaskBatch) or not hasattr(loss, "net"):
        raise TypeError(
            "diagnose_at expects loss as a TaskLoss and tasks as a TaskBatch, got "
            f"{type(loss).__name__} and {type(tasks).__name__}"
        )
    theta, lam = numpy.asarray(theta, float), numpy.asarray(lam, float)
    if lam.shape not in ((), theta.shape) or not (lam > 0).all():
        raise ValueError(f"lam must be > 0, a number or {theta.shape}, got {lam}")
    tasks = tasks.map(lambda a: a.astype(float) if a.dtype.kind == "f" else a)
    return OwnProblem(loss, theta, tasks, lam if lam.ndim else lam.item())


def judged(problem: OwnProblem, mine: Any) -> OwnDiagnosis:
    """Judge and diagnose arrays, ``mine``, on a problem that may be asked again."""
    like_lam = numpy.shape(problem.lam)
    got = given(mine, problem.theta.shape, len(problem.tasks), like_lam)
    with one_blas_thread(), numpy.errstate(all="ignore"):
        return Judging(problem, got).result()


@dataclass
class Judging:
    """One set of arrays, judged.

    Args:
        problem: Whose they are.
        got: The arrays, by name.
        certified: See ``OwnDiagnosis``.
        refused: See ``OwnDiagnosis``.
    """

    problem: OwnProblem
    got: dict[str, Array]
    certified: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def result(self) -> OwnDiagnosis:
        """Return what is to be said."""
        own, phi = self.problem, self.got.get("phi")
        key = "star" if phi is None else ("star", phi.tobytes())
        start = None if phi is None else phi.astype(float)
        star = self.certify("φ*", key, lambda: own.solution(start))
        at = star and star[0] if start is None else start
        if at is None:
            return OwnDiagnosis({}, self.refused, Report("mine", ()))
        which = "φ*" if phi is None else "your φ"
        there = self.point(f"(5) at {which}", at)
        cases = self.cases(at)
        verdicts = [*self.below(cases)]
        if phi is not None and star:
            verdicts += [self.judged(cases[0], "L5", "inner", *star, 1.0, "phi")]
        if there:
            verdicts += self.of_formula(cases[0], there, phi is not None)
        beside = None
        if phi is not None and star and "meta_grad" in self.got:
            best = self.point("(5) at φ*", star[0])
            if best is not None:
                got, want = self.got["meta_grad"], self.mean(best)
                beside = agreement(cases[0], "L5", got, want).digits
        report = Report("mine", tuple(verdicts))
        report, skipped = self.diagnosed(report, cases, there)
        still = there.stationarity if there and phi is not None else None
        return OwnDiagnosis(
            self.certified, self.refused, report, beside, still, skipped
        )

    def certify(self, what: str, key: Any, compute: Any) -> Any:
        """Return what was computed, its digits kept; None if it was refused."""
        try:
            found = self.problem.once(key, compute)
        except Refused as refused:
            self.refused[what] = str(refused)
            return None
        self.certified[what] = found.digits if isinstance(found, Point) else found[1]
        return found

    def holds(self, what: str, digits: float) -> bool:
        """Keep the digits of a certificate; or, of too few, that there is none."""
        found = self.certify(what, (what, digits), lambda: (what, enough(what, digits)))
        if found is None:
            self.certified.pop(what, None)
        return found is not None

    def point(self, what: str, phi: Array) -> Point | None:
        """Return (5) at a φ (T, P), certified; None if it was refused."""
        return self.certify(what, phi.tobytes(), lambda: self.problem.at(phi))

    def cases(self, phi: Array) -> list[OwnCase]:
        """Return the problem at a φ (T, P), and that of its query set."""
        own = self.problem
        direction = self.got.get("direction", own.theta)
        inputs = {
            "theta": own.theta, "lam": numpy.asarray(own.lam), "phi": phi,
            "v": numpy.broadcast_to(direction, phi.shape).astype(float),
            "solution": phi, **vars(own.tasks),
        }  # fmt: skip
        kinds = {kind: name for name, kind in LOSSES.items()}
        loss = kinds.get(type(getattr(own.loss, "loss", None)), "")
        network = described(own.loss.net)
        case = OwnCase(OWN, "", inputs, network=network, loss=loss, own=own.loss)
        return [case, replace(swapped(case), name=QUERY, answers={})]

    def mean(self, at: Point) -> Array:
        """Return the meta-gradient, (P,)."""
        return (self.problem.lam * at.x).mean(0)

    # Verdicts; what is right is put into the cases.

    def below(self, cases: list[OwnCase]) -> Iterator[Verdict]:
        """Yield the verdicts on L, ∇L, ∇Q and H p at the φ of the case."""
        case, query = cases
        lin = self.problem.support(case.phi)
        wants = {"loss": lin.value, "grad": lin.grad}
        for name in wants.keys() & self.got.keys():
            yield self.judged(case, "L1", name, wants[name], 13.0, USUAL)
        if "v" in self.got:
            v = self.problem.query(case.phi).grad
            yield self.judged(query, "L1", "grad", v, 13.0, USUAL, "v")
        if "hvp" in self.got:
            want = self.problem.exact_product(case.phi, case.v)
            left = numpy.linalg.norm(lin.hvp(case.v) - want, axis=1)
            digits = digits_of(left / numpy.linalg.norm(want, axis=1))
            if self.holds("H p", digits):
                yield self.judged(case, "L2", "hvp", want, digits, USUAL)

    def of_formula(self, case: OwnCase, there: Point, at_theirs: bool) -> list[Verdict]:
        """Return the verdicts on (5) and (7)."""
        kappa = there.top / there.mu if there.top > 0 else 1e2
        each = -there.x * (there.phi - self.problem.theta)
        of_lam = each.mean(0) if numpy.ndim(self.problem.lam) else each.sum(1).mean()
        wants = {"meta_grad": self.mean(there), "lam_grad": of_lam}
        digits, level = there.digits, "L4" if at_theirs else "L5"
        if not at_theirs and "meta_grad" in self.got:
            digits = min(digits, self.along(there, wants["meta_grad"]))
            if not self.holds("(5) at φ*", digits):
                return []
        found = [name for name in wants if name in self.got]
        return [self.judged(case, level, n, wants[n], digits, kappa) for n in found]

    def along(self, there: Point, g: Array) -> float:
        """Return the digits of g at φ* by the whole map, along g, noise, and error."""
        draw = numpy.random.Generator(numpy.random.PCG64(0)).standard_normal(len(g))
        off = self.got["meta_grad"].astype(float) - g
        d = sum(a / (numpy.linalg.norm(a) or 1.0) for a in (g, draw, off))
        gap = abs(self.problem.slope(there.phi, d) - g @ d)
        return digits_of(gap / numpy.linalg.norm(g) / numpy.linalg.norm(d))

    def judged(
        self, case, level, answer, want, digits, kappa, name: str = ""
    ) -> Verdict:
        """Return the verdict on one array."""
        # A bias before a normalisation has the gradient 0, and half the digits.
        zero = has_zero(case, numpy.asarray(want))
        required = {}
        for dtype, u in ROUNDOFF.items():
            worst = max(kappa, u**-0.5) if zero else kappa
            required[dtype] = max(0.0, min(required_digits(worst, u), digits - 1))
        right = Answer(numpy.asarray(want), digits, (), kappa, required)
        case.answers.setdefault(level, {})[answer] = right
        values = {answer: self.got[name or answer]}
        return verdict(case, level, answer, Attempt(values))

    # What fails.

    def diagnosed(self, report: Report, cases: list[OwnCase], there: Point | None):
        """Return the report with its diagnoses, and what was not tried."""
        if report.passed or not report.verdicts:
            return report, ()
        small = len(self.problem.theta) <= DENSE
        lab = OwnLaboratory(cases, small and is_known(self.problem.loss))
        names, skipped = set(FAMILIES), []
        if not small:
            names, skipped = set(), ["inner loops; tensors and single entries of H"]
            self.with_columns(lab, cases[0], there)
            failing = any(v.answer == "meta_grad" for v in report.verdicts)
            if failing and there and not numpy.ndim(self.problem.lam):
                reduced = self.problem.reduced(there)
                if reduced.residual <= INSIDE:
                    lab, names = KrylovLaboratory(cases, reduced), WITHIN
            if not names and failing:
                skipped.append("families, for want of one λ and a CG that is short")
            self.with_columns(lab, cases[0], None if names else there)
        found = OwnSearch(lab, report, names).diagnoses()
        told = tuple(self.with_facts(d, cases[0]) for d in found)
        return replace(report, diagnoses=told), tuple(skipped)

    def with_columns(self, lab, case: OwnCase, there: Point | None) -> None:
        """Put known vectors into a laboratory that has no matrices to make them of."""
        lin, u = self.problem.support(case.phi), case.v
        s, lam = lin.grad, self.problem.lam
        lab.kept["columns", OWN, "L2", "hvp"] = {
            "H v": lin.hvp(u), "G v": lin.gnvp(u), "v": u, "λ v": lam * u,
            "∇L (∇Lᵀ v)": (s * u).sum(1, keepdims=True) * s, "∇L": s,
        }  # fmt: skip
        if there is not None:
            d = there.phi - self.problem.theta
            rows = {"g": lam * there.x, "v": there.v, "∇L": s, "(φ − θ)": d}
            rows |= {"Λ (φ − θ)": lam * d, "(H + Λ)⁻¹ v": there.x}
            means = {name: a.mean(0) for name, a in rows.items()}
            for level in ("L4", "L5"):
                lab.kept["columns", OWN, level, "meta_grad"] = means

    def with_facts(self, one: Diagnosis, case: OwnCase) -> Diagnosis:
        """Say what simple facts of the problem its numbers are equal to."""
        facts, said = facts_of(case), []
        for text in dict.fromkeys(one.numbers.values()):
            value = float(text.replace("−", "-"))
            seen = [Seen(facts, value, abs(value) * 5e-7)]
            equal = [r.text for r in without_constants(seen) if holds(r, seen)]
            equal = [t for t in dict.fromkeys(equal) if t != text]
            if 0 < len(equal) <= EQUALS and value != 1:
                said.append(f"{text} is {', '.join(equal)} here.")
        return replace(one, note=" ".join([*filter(None, [one.note]), *said]))


def given(mine: Any, shape: tuple, tasks: int, like_lam: tuple) -> dict[str, Array]:
    """Return the arrays that were given, by name.

    Raises:
        ValueError: If one has not its shape or is not finite, or there is none.
    """
    found = dict(mine) if isinstance(mine, Mapping) else dict(vars(mine))
    found = {name: a for name, a in found.items() if a is not None}
    rows = (tasks, *shape)
    shapes = dict.fromkeys(("phi", "grad", "v", "hvp", "direction"), rows)
    shapes |= {"loss": (tasks,), "meta_grad": shape, "lam_grad": like_lam}
    unknown = set(found) - set(NAMES)
    if unknown or not set(found) - {"direction"}:
        raise ValueError(
            f"mine expects some of {', '.join(NAMES)}, got {', '.join(found) or 'none'}"
        )
    if ("hvp" in found) != ("direction" in found):
        raise ValueError("mine expects hvp and direction together, got one of them")
    for name, a in found.items():
        a = numpy.asarray(a)
        found[name] = a if a.dtype == numpy.float32 else a.astype(float)
        right = a.shape == shapes[name] or (name == "direction" and a.shape == shape)
        if not right or not numpy.isfinite(found[name]).all():
            raise ValueError(
                f"{name} expects finite numbers of shape {shapes[name]}, got shape "
                f"{a.shape} with {int((~numpy.isfinite(found[name])).sum())} that are "
                "not finite"
            )
    return found
