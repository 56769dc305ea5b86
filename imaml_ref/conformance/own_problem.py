"""Diagnose on the user's own network, λ and data, from arrays that were computed.

    found = diagnose_at({"phi": phi, "meta_grad": g}, loss, theta, tasks, lam=2.0)
    print(found)

What is right is computed here and certified (``own_certificate``).  With P ≤ 400 the
problem is a case like any other, and all that ``diagnosis`` knows is tried; beyond it,
with one λ, the families of ``krylov.WITHIN`` are, from products with H alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from .. import layers as known_layers
from ..compute import one_blas_thread
from ..data import TaskBatch
from ..meta_gradients import TaskLoss
from ..networks import Network
from .agreement import agreement
from .answers import Attempt
from .axes import times
from .case import Answer, Array, Case
from .certify import required_digits
from .computation import LOSSES, Computation, Refused
from .diagnosis import Search
from .explanation import Diagnosis
from .families import FAMILIES
from .families.ground import Ground, facts_of, swapped
from .families.krylov import WITHIN, basis_of, gap
from .families.rules import Point as Seen
from .families.rules import holds, without_constants
from .judge import Report, Verdict, verdict
from .laboratory import Laboratory
from .own_certificate import DENSE, OwnProblem, Point, digits_of, enough
from .plain import described

NAMES = (
    "phi", "loss", "grad", "v", "direction", "hvp", "meta_grad", "lam_grad",
)  # fmt: skip
QUERY = "query set"  # the case whose support set is the query set: its gradient is v
OWN = "own problem"
DEEPEST = 60  # products with H for each vector of a Krylov space
INSIDE = 1e-9  # residual of (5) in the basis above which families are not tried
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
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
        stationarity: ‖∇G‖ at the user's φ over the norms of its two parts; None without.
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
    with one_blas_thread(), numpy.errstate(all="ignore"):
        return Judging(mine, loss, theta, tasks, lam).result()


@dataclass
class Judging:
    """One call of ``diagnose_at``, whose arguments it has."""

    mine: Any
    loss: TaskLoss
    theta: Array
    tasks: TaskBatch
    lam: Any
    certified: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.tasks, TaskBatch) or not hasattr(self.loss, "net"):
            raise TypeError(
                "diagnose_at expects loss as a TaskLoss and tasks as a TaskBatch, got "
                f"{type(self.loss).__name__} and {type(self.tasks).__name__}"
            )
        self.theta = numpy.asarray(self.theta, float)
        self.lam = numpy.asarray(self.lam, float)
        if self.lam.shape not in ((), self.theta.shape) or not (self.lam > 0).all():
            raise ValueError(
                f"lam must be > 0, a number or {self.theta.shape}, got {self.lam}"
            )
        self.tasks = self.tasks.map(
            lambda a: a.astype(float) if a.dtype.kind == "f" else a
        )
        self.got = given(self.mine, self.theta.shape, len(self.tasks), self.lam.shape)
        lam = self.lam.item() if self.lam.ndim == 0 else self.lam
        self.problem = OwnProblem(self.loss, self.theta, self.tasks, lam)

    def result(self) -> OwnDiagnosis:
        """Return what is to be said."""
        phi = self.got.get("phi")
        phi = None if phi is None else phi.astype(float)
        star = self.certify("phi", self.problem.solution)
        at = phi if phi is not None else star and star[0]
        if at is None:
            return OwnDiagnosis({}, self.refused, Report("mine", ()))
        there = self.certify("meta_grad", lambda: self.problem.at(at))
        cases = self.cases(at)
        verdicts = [*self.verdicts(cases, star, there, phi is not None)]
        beside = None
        if phi is not None and star and there and "meta_grad" in self.got:
            best = self.certify("meta_grad at φ*", lambda: self.problem.at(star[0]))
            if best is not None:
                want = self.mean(best)
                got = self.got["meta_grad"]
                beside = agreement(cases[0], "L5", got, want).digits
        report = Report("mine", tuple(verdicts))
        report, skipped = self.diagnosed(report, cases, there)
        still = there.stationarity if there and phi is not None else None
        return OwnDiagnosis(
            self.certified, self.refused, report, beside, still, skipped
        )

    def certify(self, what: str, compute: Any) -> Any:
        """Return what was computed, its digits kept; None if it was refused."""
        try:
            found = compute()
        except Refused as refused:
            self.refused[what] = str(refused)
            return None
        self.certified[what] = found.digits if hasattr(found, "digits") else found[1]
        return found

    def cases(self, phi: Array) -> list[OwnCase]:
        """Return the problem at a φ (T, P), and that of its query set."""
        T = self.tasks
        direction = self.got.get("direction", self.theta)
        inputs = {
            "theta": self.theta, "lam": self.lam, "phi": phi, "solution": phi,
            "v": numpy.broadcast_to(direction, phi.shape).astype(float),
            "support_x": T.support_x, "support_y": T.support_y,
            "query_x": T.query_x, "query_y": T.query_y,
        }  # fmt: skip
        kinds = {kind: name for name, kind in LOSSES.items()}
        case = OwnCase(
            OWN, "", inputs, network=described(self.loss.net),
            loss=kinds.get(type(getattr(self.loss, "loss", None)), ""), own=self.loss,
        )  # fmt: skip
        return [case, replace(swapped(case), name=QUERY)]

    def mean(self, at: Point) -> Array:
        """Return the meta-gradient, (P,)."""
        return (self.problem.lam * at.x).mean(0)

    def verdicts(self, cases, star, there: Point | None, at_theirs: bool):
        """Yield the verdicts, and put what is right into the cases."""
        case, query = cases
        phi = case.phi
        if at_theirs and star:
            yield self.judged(case, "L5", "inner", "phi", star[0], star[1], 1.0)
        support = self.problem.support(phi)
        kappa = 1e3  # of L and its derivatives, not worth measuring
        if "loss" in self.got:
            yield self.judged(case, "L1", "loss", "loss", support.value, 13.0, kappa)
        if "grad" in self.got:
            yield self.judged(case, "L1", "grad", "grad", support.grad, 13.0, kappa)
        if "v" in self.got:
            v = self.problem.query(phi).grad
            yield self.judged(query, "L1", "grad", "v", v, 13.0, kappa)
        if "hvp" in self.got:
            want = self.problem.exact_product(phi, case.v)
            left = numpy.linalg.norm(support.hvp(case.v) - want, axis=1)
            digits = digits_of(left / numpy.linalg.norm(want, axis=1))
            self.certified["hvp"] = enough("H p", digits, "kinks")
            yield self.judged(case, "L2", "hvp", "hvp", want, digits, kappa)
        if there is None:
            return
        level = "L4" if at_theirs else "L5"
        kappa = 1e2 if there.top != there.top else there.top / there.mu
        wants = {"meta_grad": self.mean(there)}
        each = -there.x * (there.phi - self.theta)
        wants["lam_grad"] = each.mean(0) if self.lam.ndim else each.sum(1).mean()
        if not at_theirs:
            self.whole(there, wants)
        for name, want in wants.items():
            if name in self.got:
                digits = self.certified["meta_grad"]
                yield self.judged(case, level, name, name, want, digits, kappa)

    def whole(self, there: Point, wants: dict[str, Array]) -> None:
        """Certify the meta-gradient at φ* once more, by the whole map along θ̇."""
        g = wants["meta_grad"]
        draw = numpy.random.Generator(numpy.random.PCG64(0)).standard_normal(len(g))
        d = g / numpy.linalg.norm(g) + draw / numpy.linalg.norm(draw)
        off = self.got.get("meta_grad", g).astype(float) - g
        d = d + off / (numpy.linalg.norm(off) or 1.0)
        share = abs(self.problem.slope(there.phi, d) - g @ d) / numpy.linalg.norm(g)
        digits = digits_of(share / numpy.linalg.norm(d))
        self.certified["meta_grad"] = min(self.certified["meta_grad"], digits)
        enough("the meta-gradient", digits, "kinks")

    def judged(self, case, level, answer, name, want, digits, kappa) -> Verdict:
        """Return the verdict on one array; what is right is put into the case."""
        required = {
            dtype: max(0.0, min(required_digits(kappa, u), digits - 1))
            for dtype, u in ROUNDOFF.items()
        }
        right = Answer(numpy.asarray(want), digits, (), kappa, required)
        case.answers.setdefault(level, {})[answer] = right
        return verdict(case, level, answer, Attempt({answer: self.got[name]}))

    # What fails.

    def diagnosed(self, report: Report, cases: list[OwnCase], there: Point | None):
        """Return the report with its diagnoses, and what was not tried."""
        if report.passed or not report.verdicts:
            return report, ()
        small, skipped = len(self.theta) <= DENSE, []
        names = set(FAMILIES)
        lab: OwnLaboratory = OwnLaboratory(cases, small and is_known(self.loss))
        if not small:
            names, skipped = set(), ["inner loops, tensors and single entries of H"]
            failing = any(v.answer == "meta_grad" for v in report.verdicts)
            if there is not None and failing:
                lab = KrylovLaboratory(cases, self.problem, there)
                inside = lab.residual <= INSIDE
                names = WITHIN if inside else set()
                if not inside:
                    skipped.append("families: none for a λ per parameter, or a CG that "
                                   f"takes more than {DEEPEST} steps")  # fmt: skip
        search = OwnSearch(lab, report, names)
        self.with_columns(lab, cases[0], there)
        found = tuple(self.with_facts(d, cases[0]) for d in search.diagnoses())
        return replace(report, diagnoses=found), tuple(skipped)

    def with_columns(self, lab, case: OwnCase, there: Point | None) -> None:
        """Put sums of known vectors into the laboratory where matrices are too large."""
        if len(self.theta) <= DENSE:
            return
        at, u = self.problem.support(case.phi), case.v
        inner = (at.grad * u).sum(1, keepdims=True)
        lab.kept["columns", OWN, "L2", "hvp"] = {
            "H v": at.hvp(u), "G v": at.gnvp(u), "v": u, "λ v": self.lam * u,
            "∇L (∇Lᵀ v)": inner * at.grad, "∇L": at.grad,
        }  # fmt: skip
        if there is not None and not hasattr(lab, "reduced"):
            d = there.phi - self.theta
            rows = {
                "g": self.problem.lam * there.x, "v": there.v, "∇L": there.s,
                "(φ − θ)": d, "Λ (φ − θ)": self.problem.lam * d, "x": there.x,
            }  # fmt: skip
            for level in ("L4", "L5"):
                key = ("columns", OWN, level, "meta_grad")
                lab.kept[key] = {name: a.mean(0) for name, a in rows.items()}

    def with_facts(self, one: Diagnosis, case: OwnCase) -> Diagnosis:
        """Say what simple facts of the problem a number is equal to."""
        facts = facts_of(case)
        said = []
        for text in dict.fromkeys(one.numbers.values()):
            try:
                value = float(text.replace("−", "-"))
            except ValueError:
                continue
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
    found = dict(mine) if isinstance(mine, Mapping) else {
        n: getattr(mine, n) for n in NAMES if getattr(mine, n, None) is not None
    }  # fmt: skip
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
