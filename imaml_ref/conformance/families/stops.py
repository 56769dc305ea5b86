"""CG that stops at a tolerance: which one, from the steps that were taken.

Any tolerance between the residual before the last step and the one after it gives the
same x.  Each answer so leaves an interval, and what is common to all of them is said.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy

from ..case import Array
from ..judge import FAIL, Verdict
from .evidence import Explanation, compared, probes
from .family import META, SOLVE, Question
from .solvers import gradients

Interval = tuple[float, float]
LEAST = 1e-150  # beside any residual


@dataclass(frozen=True)
class Stop:
    """A rule by which CG stops.

    Args:
        name: What the explanation is called.
        say: What the report says.
        size: The number that is compared with the tolerance, from r and b.
        where: The questions at which it shows first.
    """

    name: str
    say: str
    size: Callable[[Array, Array], float]
    where: tuple[Question, ...] = SOLVE + META[2:]


STOPS = (
    Stop(
        "cg-relative-tolerance",
        "CG stops once ‖r‖ < {tol} ‖b‖.",
        lambda r, b: float(numpy.linalg.norm(r) / numpy.linalg.norm(b)),
    ),
    Stop(
        "cg-absolute-tolerance",
        "CG stops once ‖r‖ < {tol}, however large b is (r·r < {square}).",
        lambda r, b: float(numpy.linalg.norm(r)),
    ),
)


def paths(lab: Any, verdict: Verdict, stop: Stop) -> list[tuple[list, list]]:
    """Return for each task x after 0, 1, … steps of CG, and the sizes of r there."""

    def compute():
        ground, found = lab.ground(verdict), []
        for A, b in zip(ground.A, ground.v, strict=True):
            xs = [0 * b, *gradients(A, b, 0 * b)]
            found.append((xs, [stop.size(b - A @ x, b) for x in xs]))
        return found

    return lab.once(("stops", stop.name, verdict.case, verdict.level), compute)


def stopped(lab: Any, verdict: Verdict, stop: Stop, tol: float) -> Array:
    """Return what is answered with a tolerance."""
    rows = []
    for xs, sizes in paths(lab, verdict, stop):
        k = next((k for k, size in enumerate(sizes) if size < tol), len(xs) - 1)
        rows.append(xs[k])
    ground = lab.ground(verdict)
    return lab.assembled(verdict, ground.lam * numpy.stack(rows))


def intervals(lab: Any, verdict: Verdict, stop: Stop) -> list[Interval]:
    """Return the tolerances that give an answer."""
    sizes = sorted(
        {s for _, found in paths(lab, verdict, stop) for s in found if s > 0}
    )
    edges = [LEAST, *sizes, 1 / LEAST] if sizes else []
    found: list[Interval] = []
    for low, high in pairwise(edges):
        theirs = stopped(lab, verdict, stop, (low * high) ** 0.5)
        near = lab.near(verdict, verdict.got, theirs)
        if near >= lab.least(verdict) or near >= (verdict.required or 0.0) - 1:
            if found and found[-1][1] == low:
                low = found.pop()[0]
            found.append((low, high))
    return found


def explanations(
    lab: Any, question: Question, verdicts: Sequence[Verdict]
) -> Iterator[Explanation]:
    """Yield the tolerances that no answer contradicts."""
    failing = [v for v in verdicts if v.outcome == FAIL]
    for stop in STOPS:
        if question not in stop.where:
            continue
        if not any(intervals(lab, v, stop) for v in probes(lab, failing)):
            continue
        common: list[Interval] = [(0.0, numpy.inf)]
        # Whatever a solve gives narrows it, the answers to this question first.
        everywhere = [v for v in lab.own.values() if (v.level, v.answer) in stop.where]
        for v in [*verdicts, *(v for v in everywhere if v.agreement is not None)]:
            own = intervals(lab, v, stop)
            both = [(max(a, c), min(b, d)) for a, b in common for c, d in own]
            both = [(a, b) for a, b in both if a < b]
            common = both or common
        for low, high in common[:2]:
            found = compared(lab, explanation(lab, stop, low, high), verdicts)
            if found is not None:
                yield found


def explanation(lab: Any, stop: Stop, low: float, high: float) -> Explanation:
    """Return what a tolerance in an interval is."""
    tol = roundest(low, high)
    text = f"{tol:.3g} (any from {low:.2e} to {high:.2e})"
    return Explanation(
        (stop.name,),
        stop.say.format(tol=text, square=f"{tol * tol:.3g}"),
        {"tol": f"{tol:.3g}"},
        (2, 1, 0),
        lambda v: stopped(lab, v, stop, tol),
        stop.where,
    )


def roundest(low: float, high: float) -> float:
    """Return the number with the fewest digits in an interval."""
    high = min(high, 1e300)
    low = max(low, high * 1e-30)
    for digits in range(4):
        exponent = int(numpy.floor(numpy.log10(high)))
        for e in (exponent, exponent - 1):
            unit = 10.0 ** (e - digits)
            inside = numpy.floor(high / unit * (1 - 1e-12)) * unit
            if low < inside < high:
                # A power of ten where there is one.
                power = 10.0 ** numpy.floor(numpy.log10(high))
                return float(power) if low < power < high else float(inside)
    return float((low * high) ** 0.5)
