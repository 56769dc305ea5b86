"""An answer that is off by one number between all its entries."""

import numpy

from .case import Case
from .judge import Verdict
from .laboratory import LEAST, near, origin


def rounded_factor(case: Case, verdict: Verdict) -> float | None:
    """Return the one number by which an answer is off, to four digits, or None."""
    factor = common_factor(case, verdict)
    return None if factor is None else float(f"{factor:.4g}")


def common_factor(case: Case, verdict: Verdict) -> float | None:
    """Return the one number by which an answer is off; None if there is none."""
    want, got = case.answers[verdict.level][verdict.answer].want, verdict.got
    if got is None or got.size < 2:
        return None
    start = origin(case, verdict)
    a, b = (got, want) if start is None else (got - start, want - start)
    factor = float(numpy.vdot(b, a) / numpy.vdot(b, b))
    right = factor * b if start is None else start + factor * b
    least = max(LEAST[str(got.dtype)], (verdict.digits or 0.0) + 2)
    return factor if factor and near(case, verdict, got, right) >= least else None
