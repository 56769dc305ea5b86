"""Judge arrays that a user computed, on a problem of their own."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from .agreement import agreement
from .answers import Attempt
from .case import Answer, Array
from .certify import ROUNDOFF, has_zero, required_digits
from .computation import LOSSES, Refused
from .families.ground import swapped
from .judge import Report, Verdict, verdict
from .own_certificate import OwnProblem, Point, digits_of, enough
from .own_diagnosis import OWN, QUERY, OwnDiagnosis
from .own_laboratory import OwnCase
from .own_search import diagnosed
from .plain import described

USUAL = 1e3  # condition number of L and its derivatives, not worth measuring


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
            right, digits = star
            verdicts += [
                self.judged(cases[0], "L5", "inner", right, digits, 1.0, "phi")
            ]
        if there:
            verdicts += self.of_formula(cases[0], there, phi is not None)
        beside = None
        if phi is not None and star and "meta_grad" in self.got:
            best = self.point("(5) at φ*", star[0])
            if best is not None:
                got, want = self.got["meta_grad"], self.mean(best)
                beside = agreement(cases[0], "L5", got, want).digits
        report = Report("mine", tuple(verdicts))
        report, skipped = diagnosed(own, report, cases, there)
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
        kind = type(getattr(own.loss, "loss", None))
        loss = next((name for name, known in LOSSES.items() if known is kind), "")
        network = described(own.loss.net)
        case = OwnCase(OWN, "", inputs, network=network, loss=loss, own=own.loss)
        query = replace(swapped(case), name=QUERY, answers={})
        assert isinstance(query, OwnCase)
        return [case, query]

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
