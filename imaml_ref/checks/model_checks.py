"""The rows of a report on a task loss: one function for each claim.

The gradient is compared with the complex step of the value, along the part of a
random direction in each tensor; Hv, entry by entry, with the complex step of the
gradient; both complex steps with central differences, which are coarse but know
nothing of complex numbers.

What this does not check: that the value is the loss which its name says.
"""

from dataclasses import replace

import numpy

from ..compute import Array, to_host
from .model_point import ModelPoint
from .model_run import ModelRun
from .oracles import as_digits, central_difference, linearity_gap, symmetry_gap
from .rows import COARSE, Check, Worst, compare, pattern, verdict
from .rows import worst_entry as worst_of

PROBES = 64  # entries of a wrong gradient that are looked at to find the worst


def grad_check(run: ModelRun, need: float) -> Check:
    """Compare ⟨∇L, v_n⟩, for each tensor n, with the complex step of L."""
    what, witness = "grad is the gradient of value", "complex step of value"
    return slopes_check(run, "grad", what, witness, run.point.slopes(), need)


def gauss_newton_check(run: ModelRun, need: float) -> Check:
    """Compare ⟨G v, v_n⟩, for each tensor n, with ⟨J v_n, H_z J v⟩."""
    what, witness = "gnvp is JᵀH_z J v", "complex step of the outputs"
    want = run.point.gauss_newton_slopes
    return slopes_check(run, "gnvp", what, witness, want, need)


def slopes_check(run, name, what, witness, want, need) -> Check:
    """Compare the slopes of one result along the part of v in each tensor."""
    found = to_host(run.first[name]).astype(numpy.float64)
    if found.shape != run.point.v.shape:
        fault = f"{name} has shape {found.shape}, expected {run.point.v.shape}"
        return verdict(what, witness, [fault])
    got = numpy.stack([(found * v).sum(1) for v in run.point.parts])
    row = compare(what, witness, {name: got}, {name: want}, need)
    if row.passed or row.worst is None:
        return row
    tensor = list(run.point.slices)[row.worst.index[0]]
    if name == "grad":
        worst, note = locate(run.point, tensor, found)
        return replace(row, worst=worst, note=row.note or note)
    # A slope belongs to a tensor and a task, not to an entry.
    worst = replace(row.worst, tensor=tensor, index=row.worst.index[1:])
    return replace(row, worst=worst)


def locate(point: ModelPoint, tensor: str, grad: Array) -> tuple[Worst, str]:
    """Find the worst of some entries of a tensor, in the gradient of task 0.

    The index is that of the flat gradient (T, P).
    """
    inside = numpy.arange(grad.shape[1])[point.slices[tensor]]
    where = numpy.sort(numpy.random.default_rng(0).permutation(inside)[:PROBES])
    want = point.grad_entries(where)
    worst = worst_of(tensor, grad[0, where], want)
    worst = replace(worst, index=(0, int(where[worst.index[0]])))
    return worst, pattern(grad[0, where], want)


def rough_grad_check(run: ModelRun) -> Check:
    """Compare ⟨∇L, v⟩ with central differences of L."""
    what, witness = "the complex step passes through value", "central differences"
    got = run.point.slopes().sum(0)
    want = central_difference(run.point.value, run.point.phi, run.point.v, 1e-5)
    return compare(what, witness, {"slope": got}, {"slope": want}, COARSE)


def hvp_check(run: ModelRun, need: float) -> Check:
    """Compare H v with the complex step of the gradient, entry by entry."""
    what, witness = "hvp is the derivative of grad", "complex step of grad"
    got, want = to_host(run.first["hvp"]), run.point.hvp
    row = compare(what, witness, {"hvp": got}, {"hvp": want}, need)
    if row.passed or row.worst is None:
        return row
    entry = row.worst.index[1]
    slices = run.point.slices.items()
    inside = (n for n, s in slices if entry in range(*s.indices(got.shape[1])))
    return replace(row, worst=replace(row.worst, tensor=next(inside)))


def rough_hvp_check(run: ModelRun) -> Check:
    """Compare the complex step of the gradient with central differences."""
    what, witness = "the complex step passes through grad", "central differences"
    point = run.point
    want = central_difference(point.grad, point.phi, point.v, 1e-5)
    return compare(what, witness, {"hvp": point.hvp}, {"hvp": want}, COARSE)


def shape_checks(run: ModelRun, need: float) -> tuple[Check, Check]:
    """Demand of H that it be symmetric and linear."""
    u, v = run.put(run.point.u), run.put(run.point.v)
    symmetry = as_digits(symmetry_gap(run.operator, u, v))
    linearity = as_digits(linearity_gap(run.operator, u, v))
    return (
        Check("hvp is symmetric", "⟨u, Hv⟩ = ⟨v, Hu⟩", symmetry, need),
        Check("hvp is linear", "H(u + sv) = Hu + sHv", linearity, need),
    )
