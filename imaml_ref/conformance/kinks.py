"""How far a case is from kinks: where ReLU bends, and where maxima change hands."""

import numpy

from ..layers import ELU, MaxPool2d, ReLU, pooling
from .case import Array, Case
from .computation import Computation

TIED = 1e-12  # relative: equal but for rounding


def distance(case: Case) -> float:
    """Return the least distance to a kink, relative to the size of what bends.

    It is looked for at φ and φ* and, for U, at every iterate, in the support and the
    query sets: |x| of a unit, or the gap between the two largest entries of a window,
    where they are not equal by construction.
    """
    found = [1.0]
    for group in case.groups:
        for phi in points(group):
            for x in (group.tasks.support_x, group.tasks.query_x):
                found += distances(group, phi, x)
    return min(found)


def points(case: Case) -> list[Array]:
    """Return the φ (T, P) at which a case is asked."""
    found = [case.inputs[k] for k in ("phi", "solution") if k in case.inputs]
    if case.unrolled:
        at = Computation().start(case)
        for _ in range(case.unrolled["steps"] + 1):
            found.append(at)
            grad = Computation().at_support(case, at).grad
            at = at - case.unrolled["step_size"] * grad
    return found


def distances(case: Case, phi: Array, y: Array) -> list[float]:
    """Return the least distance of each layer that has kinks."""
    p, found = case.net.unpack(phi), []
    for name, layer in case.net.layers.items():
        if isinstance(layer, ReLU | ELU):
            found.append(float(numpy.abs(y).min() / numpy.abs(y).mean()))
        elif isinstance(layer, MaxPool2d):
            second, first = numpy.sort(pooling.split(y, layer.window), -1)[..., -2:].T
            gap = (first - second) / numpy.abs(y).mean()
            found += [float(gap[gap > TIED].min(initial=1.0))]
        y, _ = layer.forward(p[name], y)
    return found
