"""Where families are tried: grounds of the cases, and how well two answers agree."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy

from .agreement import agreement, moved
from .asking import attempt
from .case import Answer, Array, Case
from .engine import Engine
from .families.elsewhere import Inner, Slope, of_a_system, of_the_outer_step, on_the_way
from .families.evidence import EVIDENCE
from .families.ground import Ground, facts_of, ground_of, lam_gradient
from .judge import FAIL, Verdict, given
from .levels import OUTER_STEPS
from .mutants import combined

Names = tuple[str, ...]  # mistakes of the catalogue, made at once
LEAST = {"float64": 5.0, "float32": 3.0}  # digits of agreement with a mistake
SINGLE = 5.0  # digits that single precision has at least, where it is named
NEARER = 2.0  # digits by which it must exceed the agreement with what is right


class Laboratory:
    """The cases, with every quantity computed once.

    Args:
        cases: The cases, with their answers.
        base: Mistakes of the catalogue that were named at lower levels.
    """

    def __init__(self, cases: Mapping[str, Case] | Iterable[Case], base: Names = ()):
        listed = cases.values() if isinstance(cases, Mapping) else cases
        self.cases = {case.name: case for case in listed}
        self.base = base
        self.shared: dict = {}
        self.own: dict[tuple[str, str, str], Verdict] = {}
        self.kept: dict[Any, Any] = {}  # what ``once`` computed

    def once(self, key: tuple, compute) -> Any:
        """Return what was computed under a key, now or before."""
        if key not in self.kept:
            self.kept[key] = compute()
        return self.kept[key]

    def subject(self, *names: str) -> Any:
        """Return the computation that makes some mistakes."""
        return self.once(
            ("subject", names),
            lambda: combined(*names, shared=self.shared, looks=False),
        )

    def answers(self, names: Names, case: str, level: str) -> Mapping[str, Array]:
        """Return what some mistakes together answer to a level of a case."""

        def compute():
            found = attempt(self.subject(*names), self.cases[case], level).values
            return {n: numpy.asarray(a) for n, a in found.items() if finite(a)}

        return self.once(("answers", names, case, level), compute)

    def case(self, verdict: Verdict) -> Case:
        """Return the case of a verdict."""
        return self.cases[verdict.case]

    def answer(self, verdict: Verdict) -> Answer:
        """Return the right answer."""
        return self.case(verdict).answers[verdict.level][verdict.answer]

    def facts(self, verdict: Verdict) -> Mapping[str, float]:
        """Return the numbers of a case, and the size of the right answer."""

        def compute():
            want = moved(self.case(verdict), verdict.level, self.answer(verdict).want)
            known = facts_of(self.case(verdict))
            if verdict.level in OUTER_STEPS:
                own = self.own.get((verdict.case, "L5", "meta_grad"))
                want = self.case(verdict).answers["L5"]["meta_grad"].want
                want = want if own is None or own.got is None else own.got
                known |= of_the_outer_step(self.case(verdict).outer)
            if verdict.level == "U":
                unrolled = self.case(verdict).unrolled
                known |= {"K": float(unrolled["steps"]), "α": unrolled["step_size"]}
            size = float(numpy.linalg.norm(want))
            return known | ({"‖g‖": size} if size else {})

        return self.once(
            ("facts", verdict.case, verdict.level, verdict.answer), compute
        )

    def ground(self, verdict: Verdict) -> Ground:
        """Return the quantities of (5) where a verdict was given."""
        case = self.case(verdict)
        key = ("ground", case.name, "L4" if verdict.level == "U" else verdict.level)
        return self.once(key, lambda: self.made(case, verdict.level))

    def made(self, case: Case, level: str) -> Ground:
        """Return the ground of a case at a level."""
        if level == "L3":
            return of_a_system(case)
        subject = self.subject(*self.base)
        if level in ("L1", "L2"):
            phi = case.phi
        elif level == "L4" and "solution" in case.inputs:
            phi = case.solution
        else:
            phi = self.solution(case)
        return on_the_way(ground_of(case, phi, subject), case, subject)

    def cost(self, verdict: Verdict) -> int:
        """Return the size of a case: what it costs to answer it grows with this."""
        return sum(a.size for a in self.case(verdict).inputs.values())

    def hear(self, verdicts: Iterable[Verdict]) -> None:
        """Keep what was answered: a level is judged by the answers below it."""
        self.own = {(v.case, v.level, v.answer): v for v in verdicts}

    def solution(self, case: Case) -> Array:
        """Return φ* (T, P) of the base."""
        subject = self.subject(*self.base)
        return self.once(("solution", case.name), lambda: subject.inner(case))

    def solved(self, case: Case, lam: Any, anchor: Array) -> Array:
        """Return the φ (T, P) that solves (1) with another λ or anchor."""
        subject = Inner(self.subject(*self.base), lam, anchor)
        return subject.inner(case)

    def around(self, case: Case, phi: Array) -> Ground:
        """Return the ground of a case at any φ."""
        subject = self.subject(*self.base)
        return on_the_way(ground_of(case, phi, subject), case, subject)

    def slope_of(self, case: Case) -> Callable[[Array], Array]:
        """Return θ ↦ the right meta-gradient, each computed once."""
        return self.once(("slope", case.name), lambda: Slope(Engine(), case))

    def from_own(self, verdict: Verdict) -> Array | None:
        """Return the right answer, given the user's own wrong one below; else None."""
        case = self.case(verdict)
        below = {"L6": ("L5", "meta_grad"), "L5": ("L5", "inner")}.get(verdict.level)
        own = self.own.get((case.name, *below)) if below else None
        if own is None or own.outcome != FAIL or own.agreement is None:
            return None
        if verdict.level == "L6":
            optimizer, theta = self.subject().optimizer(case), case.theta
            start, g = optimizer.init(theta), given(own).astype(float)
            return optimizer.step(theta, g, start)[0]
        if verdict.answer not in ("meta_grad", "lam_grad"):
            return None
        phi = given(own).astype(float)
        key = ("own", case.name, phi.tobytes())
        ground = self.once(key, lambda: self.around(case, phi))
        if verdict.answer == "meta_grad":
            return ground.g.mean(0)
        return lam_gradient(ground, ground.g, given(verdict).ndim)

    def target(self, verdict: Verdict) -> Array:
        """Return what is fitted: of an outer step, and of φ, how far it went."""
        got = given(verdict)
        if verdict.answer == "inner":
            return got - self.case(verdict).theta.astype(got.dtype)
        return moved(self.case(verdict), verdict.level, got)

    def restored(self, verdict: Verdict, a: Array) -> Array:
        """Return an answer from what was fitted."""
        step = verdict.level in OUTER_STEPS or verdict.answer == "inner"
        return self.case(verdict).theta + a if step else a

    def assembled(self, verdict: Verdict, rows: Array) -> Array:
        """Return an answer from what was computed task by task, (T, P)."""
        if verdict.level == "L3":
            return rows[0]
        if verdict.answer == "lam_grad":  # (7), of x = Λ⁻¹ g
            return lam_gradient(self.ground(verdict), rows, given(verdict).ndim)
        return rows if verdict.answer in ("hvp", "gnvp", "grad") else rows.mean(0)

    # How well answers agree.

    def near(self, verdict: Verdict, got: Array, want: Array) -> float:
        """Return the digits of agreement of two answers, of the worst tensor."""
        return agreement(self.case(verdict), verdict.level, got, want).digits

    def whole_digits(self, verdict: Verdict, theirs: Array) -> float:
        """Return the digits of the whole array, never fewer than of a tensor."""
        scale = numpy.linalg.norm(moved(self.case(verdict), verdict.level, theirs))
        with numpy.errstate(over="ignore"):
            gap = numpy.linalg.norm(given(verdict) - theirs)
        return -math.log10(gap / scale) + 0.1 if gap and scale else 16.0

    def least(self, verdict: Verdict) -> float:
        """Return the digits that an explanation of a failing answer must reach."""
        got = given(verdict)
        needed = max(LEAST[str(got.dtype)], EVIDENCE / got.size)
        return max(needed, (verdict.digits or 0.0) + NEARER)

    def matches(self, verdict: Verdict, theirs: Array) -> float | None:
        """Return the digits in which an answer is what a mistake gives, if it is.

        Of a tensor that is rounding alone, the whole says what is nearer.
        """
        whole, least = self.whole_digits(verdict, theirs), self.least(verdict)
        if whole < least:
            return None
        found = self.near(verdict, given(verdict), theirs)
        if whole >= self.whole_digits(verdict, self.answer(verdict).want) + NEARER:
            least = min(least, LEAST[str(given(verdict).dtype)] + 0.5)
        return found if found >= least else None

    def invisible(self, verdict: Verdict, theirs: Array) -> bool:
        """Whether what a mistake gives would pass where a verdict was given."""
        want = self.answer(verdict).want
        return self.near(verdict, theirs, want) >= (verdict.required or 0.0) - 1

    def was_single(self, verdict: Verdict) -> bool:
        """Whether all of an answer is single precision, and nothing else is wrong.

        Then it has the digits that single precision reaches, −log₁₀(κu) − 1.
        """
        got, required = given(verdict), self.answer(verdict).required["float32"]
        least = max(SINGLE, required + 1)
        if got.dtype != numpy.float64 or (verdict.digits or 0.0) < least:
            return False
        return bool((got.astype(numpy.float32) == got).all())

    def factor(self, verdict: Verdict) -> float | None:
        """Return the one number by which an answer is off, to four digits, or None."""
        got, want = verdict.got, self.answer(verdict).want
        if got is None or got.size < 2:
            return None
        a, b = (moved(self.case(verdict), verdict.level, x) for x in (got, want))
        factor = float(numpy.vdot(b, a) / numpy.vdot(b, b))
        least = max(LEAST[str(got.dtype)], (verdict.digits or 0.0) + 2)
        near = self.near(verdict, got, want - b + factor * b)
        return float(f"{factor:.4g}") if factor and near >= least else None


def finite(a: Any) -> bool:
    """Whether an answer can be computed with."""
    return bool(numpy.isfinite(numpy.asarray(a, float)).all())


def nearly_right(verdict: Verdict) -> bool:
    """Whether a failing answer has more digits than it takes to recognise a mistake."""
    got = verdict.got
    return got is not None and (verdict.digits or 0.0) >= LEAST[str(got.dtype)]
