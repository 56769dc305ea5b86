"""The products alone: what a meta-step on the fused path cannot be faster than.

The same products on the same arrays, in the same number: in the order of the meta-step,
with nothing between them, and hot, each again and again by itself.  What starting the
calls costs is estimated from calls that have next to nothing to do.
"""

from collections import Counter
from time import perf_counter

import numpy as np

from .fused import Programs

REPEATS, MANY = 9, 4000


def floor(programs: Programs) -> dict[str, float]:
    """Return operations (1e9) and seconds of the products that were made."""
    made = programs.products()
    calls = [program._calls[i] for program, i in made]
    return {
        "gigaflop": sum(operations(*arguments) for _, arguments in calls) / 1e9,
        "products": len(calls),
        "calls": programs.num_calls,
        "starting_calls": programs.num_calls * started(),
        "in_sequence": float(np.median([timed(calls) for _ in range(3)])),
        "hot": sum(
            count * hottest(program._calls[i])
            for (program, i), count in Counter(made).items()
        ),
    }


def operations(a, b, out) -> int:
    """Return the floating-point operations of a product, two for a multiply-add."""
    return 2 * out.size * a.shape[-1]


def timed(calls) -> float:
    """Return the seconds of calls, one after the other."""
    start = perf_counter()
    for function, arguments in calls:
        function(*arguments)
    return perf_counter() - start


def hottest(call) -> float:
    """Return the median seconds of a call that is made again and again."""
    return float(np.median([timed([call]) for _ in range(REPEATS)]))


def started() -> float:
    """Return the seconds of a call of NumPy on arrays of one entry."""
    a = np.ones(1, np.float32)
    calls = [(np.add, (a, 0, a))] * MANY
    return min(timed(calls) for _ in range(REPEATS)) / MANY
