"""How sure a mean over tasks is: two intervals that cover it in 95 of 100 samples.

Of n values x_t with mean x̄ and deviation s, s² = Σ (x_t − x̄)² / (n − 1):

    Student      x̄ ± t s/√n with P(|T| > t) = 0.05, n − 1 degrees of freedom   (1)
    bootstrap    quantiles 0.025 and 0.975 of x̄* = Σ_t x_i(t) / n, i(t) any task   (2)

(1) is the ± of publications.  (2) need not lie evenly about x̄, and never leaves the
range of the values, which matters near 100 %.  Both are of one θ on these classes: they
know no spread over seeds of the training.  Of one task, or none, there is none, NaN.

Source of (2): Efron, Annals of Statistics 7(1):1–26, 1979.
"""

import math

import numpy
from scipy.special import stdtrit

RESAMPLINGS = 5000  # an end then has a standard error of 1 % of the width


def mean(values: numpy.ndarray | None) -> float:
    """Return the mean, or NaN of nothing."""
    return math.nan if values is None else float(values.mean())


def ci95(values: numpy.ndarray | None) -> float:
    """Return t s/√n of (1), half the width, of values (num_tasks,)."""
    if values is None or len(values) < 2:
        return math.nan
    t = float(stdtrit(len(values) - 1, 0.975))
    return t * float(values.std(ddof=1)) / math.sqrt(len(values))


def bootstrap95(values: numpy.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """Return both ends of (2), of values (num_tasks,), drawn by a seed."""
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    rng = numpy.random.default_rng(seed)
    drawn = (values[rng.integers(n, size=n)].mean() for _ in range(RESAMPLINGS))
    low, high = numpy.quantile(numpy.fromiter(drawn, float), (0.025, 0.975))
    return float(low), float(high)
