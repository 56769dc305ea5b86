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
    found = []
    for group in case.groups:
        A = along_axes(Computation().inner_gradient, group, group.solution)
        found += [float(numpy.linalg.cond(A).max()), condition_at_phi(group)]
    return max(found)


def cancelled(case: Case) -> float:
    """Return by how much the terms of dF/dλ exceed what is left of them.

    Those are the differences φ* − θ and, for a scalar λ, a sum over parameters.
    """
    ours, gap = Computation(), case.solution - case.theta
    least = float(numpy.linalg.norm(case.solution) / numpy.linalg.norm(gap))
    if case.inputs["lam"].ndim:
        return max(1.0, least)
    x = ours.by_group(ours.solved, case, case.solution)
    total = numpy.abs(x * gap).sum(1).mean() / abs((x * gap).sum(1).mean())
    return max(1.0, least) * float(total)


def condition_of_steps(case: Case) -> float:
    """Measure how much the unrolled gradient moves when θ does, relatively."""
    nudge, ours, most = 1e-7, Computation(), condition_at_phi(case.groups[0])
    want = ours.unrolled_grad(case)
    for seed in range(3):
        draw = numpy.random.Generator(numpy.random.PCG64(seed)).uniform
        theta = case.theta * (1 + nudge * draw(-1, 1, case.theta.shape))
        change = agreement(case, "U", ours.unrolled_grad(case.at(theta)), want).digits
        least = numpy.linalg.norm(theta - case.theta) / numpy.linalg.norm(case.theta)
        most = max(most, 10**-change / float(least))
    return most


CONDITIONS: dict[str, Callable[[Case], float]] = {
    "L1": condition_at_phi,
    "L2": condition_at_phi,
    "L3": lambda case: float(numpy.linalg.cond(case.A)),
    **dict.fromkeys(("L4", "L5", "L6", "L7"), condition_of_operator),
    "U": condition_of_steps,
}
