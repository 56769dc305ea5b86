"""How much answers move when their inputs do: the condition numbers of the levels."""

from collections.abc import Callable
from dataclasses import replace

import numpy

from .agreement import agreement
from .axes import along_axes
from .case import Case
from .computation import Computation
from .engine import Engine


def condition_at_phi(case: Case) -> float:
    """Measure how much L1's and L2's answers move when φ and v do, relatively."""
    nudge, ours, most = 1e-7, Engine(), 1.0
    for seed in range(3):
        draw = numpy.random.Generator(numpy.random.PCG64(seed)).uniform
        moved = {
            name: case.inputs[name] * (1 + nudge * draw(-1, 1, case.inputs[name].shape))
            for name in ("phi", "v")
        }
        other = replace(case, inputs={**case.inputs, **moved})
        least = min(
            float(numpy.linalg.norm(moved[k] - a) / numpy.linalg.norm(a))
            for k, a in (("phi", case.phi), ("v", case.v))
        )
        for ask in (ours.loss, ours.grad, ours.hvp, ours.gnvp):
            change = agreement(case, "L1", ask(other), ask(case)).digits
            most = max(most, 10**-change / least)
    return most


def condition_of_operator(case: Case) -> float:
    """Return the largest condition number of H + Λ over tasks, or of what enters it."""
    A = along_axes(Computation().inner_gradient, case, case.solution)
    return max(float(numpy.linalg.cond(A).max()), condition_at_phi(case))


CONDITIONS: dict[str, Callable[[Case], float]] = {
    "L1": condition_at_phi,
    "L2": condition_at_phi,
    "L3": lambda case: float(numpy.linalg.cond(case.A)),
    **dict.fromkeys(("L4", "L5", "L6", "L7"), condition_of_operator),
}
