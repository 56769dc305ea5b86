"""How the unrolled gradient tends to the implicit one as the inner loop gets longer.

Where one gradient step contracts by ρ, ‖g_K − g*‖ = c ρ^K once the faster modes are
gone, until rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy

from ..checks import as_digits, norm, unit_roundoff
from ..compute import Array, to_host
from .rows import Row, Setting

STEPS = (5, 20, 80, 320)
ROUNDING = 1e3  # times u ‖g*‖


def convergence_rows(
    setting: Setting,
    part: str,
    unrolled: Callable[[int], Array],
    want: Array,
    factor: float,
    steps: Sequence[int] = STEPS,
) -> Iterator[Row]:
    """Yield one row for each pair of neighbours in ``steps``, until rounding.

    Args:
        setting: Where it runs.
        part: What the rows are about.
        unrolled: K ↦ the unrolled gradient of K steps, (P,).
        want: The implicit gradient g*, float64.
        factor: ρ, per step.
        steps: The numbers K.
    """
    errors = [norm(to_host(unrolled(k)) - want) for k in steps]
    floor = ROUNDING * unit_roundoff(setting.put(want)) * norm(want)
    for (k, before), (more, after) in pairwise(zip(steps, errors, strict=True)):
        if after < floor:
            return
        slope = numpy.log(after / before) / (more - k)
        claim = f"unrolled → implicit, K = {k} → {more}: ρ = {numpy.exp(slope):.4f}"
        witness = f"contraction factor {factor:.4f}, logarithms within 10 %"
        score = as_digits(abs(slope / numpy.log(factor) - 1))
        yield Row(part, claim, witness, score, 1.0)
