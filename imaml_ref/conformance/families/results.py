"""Families of (5), g = Λ (H + Λ)⁻¹ v: its right side, its result, and its tasks."""

import numpy

from .family import META, Real, of_rows, of_side
from .ground import solve


class Limit(Real):
    """A limit of norms: it shows between the least of several tasks and the largest."""

    def grid(self, count):
        """Return values to begin from, close to one another."""
        return super().grid(2 * count)


LIMIT = Limit(1e-3, 30.0)


@of_side(META, s=Real(1e-3, 1.0, "0", named="1"))
def v_on_the_way(ground, s):
    """The right side v is taken at (1 − {s}) φ + {s} θ."""
    return ground.also("v on the way")(s)


@of_side(META)
def v_at_theta(ground):
    """The right side v is taken at θ."""
    return ground.also("v at θ")


@of_side(META, b=Real(1e-4, 1e4, "0", signed=True))
def support_gradient_in_v(ground, b):
    """In place of v, v + {b} ∇L is solved for."""
    return ground.v + b * ground.s


@of_side(META)
def query_loss_of_both_sets(ground):
    """The query loss is over the support and the query examples together."""
    return ground.also("v of both sets")


@of_side(META, c=Real(1e-4, 1e4, "0", signed=True))
def displacement_in_v(ground, c):
    """In place of v, v + {c} (φ − θ) is solved for."""
    return ground.v + c * ground.d


@of_rows("result", META, p=Real(1e-2, 8.0, "1", signed=True))
def power_of_strength(ground, p):
    """λ to the power {p} stands before (H + Λ)⁻¹ v."""
    if numpy.ptp(ground.lam) == 0:
        return None
    return ground.lam**p * solve(ground.A, ground.v)


@of_rows("result", META)
def strength_left_out(ground):
    """The result is x = (H + Λ)⁻¹ v: it is not multiplied by λ."""
    return solve(ground.A, ground.v)


@of_rows("result", META)
def mean_strength_in_front(ground):
    """The result is x times the mean of λ."""
    return ground.lam.mean() * solve(ground.A, ground.v)


@of_rows("result", META)
def solution_in_single_precision(ground):
    """The solutions x are rounded to single precision."""
    return ground.lam * solve(ground.A, ground.v).astype(numpy.float32)


def bfloat16(a):
    """Return a rounded to bfloat16, to even: float32 without half of its bits."""
    bits = a.astype(numpy.float32).view(numpy.uint32)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return bits.astype(numpy.uint32).view(numpy.float32).astype(float)


@of_rows("result", META)
def solution_in_bfloat16(ground):
    """The solutions x are rounded to bfloat16."""
    return ground.lam * bfloat16(solve(ground.A, ground.v))


def with_strength(ground, lam):
    """Return (5) with another λ, (P,), where φ is given."""
    return lam * solve(ground.H + numpy.diag(lam), ground.v)


@of_rows("result", META, c=Real(1e-4, 1e2))
def strength_at_least(ground, c):
    """λ is clamped from below at {c}."""
    return with_strength(ground, numpy.maximum(ground.lam, c))


@of_rows("result", META, c=Real(1e-4, 1e2))
def strength_at_most(ground, c):
    """λ is clamped from above at {c}."""
    return with_strength(ground, numpy.minimum(ground.lam, c))


@of_rows("result", META)
def strength_through_softplus(ground):
    """In place of λ there is log(1 + exp λ)."""
    return with_strength(ground, numpy.log1p(numpy.exp(ground.lam)))


@of_side(META)
def v_divided_by_strength(ground):
    """The right side v is divided by λ."""
    return ground.v / ground.lam


@of_rows("result", META)
def strength_on_the_other_side(ground):
    """(H + Λ)⁻¹ Λ v is computed in place of Λ (H + Λ)⁻¹ v."""
    return solve(ground.A, ground.lam * ground.v)


@of_rows("result", META, c=Real(1e-6, 1e2))
def clipped_by_value(ground, c):
    """Each task's gradient is clipped to [−{c}, {c}], entry by entry."""
    return numpy.clip(ground.g, -c, c)


@of_rows("result", META, c=LIMIT)
def clipped_task_by_task(ground, c):
    """Each task's gradient is clipped to the norm {c}."""
    norms = numpy.linalg.norm(ground.g, axis=1, keepdims=True)
    return ground.g * numpy.minimum(1, c / norms)


@of_rows("result", META)
def normalised_task_by_task(ground):
    """Each task's gradient is divided by its norm."""
    return ground.g / numpy.linalg.norm(ground.g, axis=1, keepdims=True)


@of_side(META)
def v_in_bfloat16(ground):
    """The right side v is rounded to bfloat16."""
    return bfloat16(ground.v)


@of_side(META, c=LIMIT)
def v_clipped(ground, c):
    """The right side v of each task is clipped to the norm {c}."""
    norms = numpy.linalg.norm(ground.v, axis=1, keepdims=True)
    return ground.v * numpy.minimum(1, c / norms)


@of_rows("result", META)
def signs(ground):
    """Only the sign of each task's entries is kept."""
    return numpy.sign(ground.g)


@of_rows("result", META)
def sum_everywhere(ground):
    """Every entry is the sum of all."""
    return numpy.repeat(ground.g.sum(1, keepdims=True), ground.theta.size, 1)


@of_rows("tasks", META)
def mean_curvature(ground):
    """One solve for all tasks: the mean of H, the mean of v."""
    if len(ground.v) == 1:
        return None
    mean = numpy.broadcast_to(ground.A.mean(0), ground.A.shape)
    return ground.lam * solve(mean, ground.v)


@of_rows("tasks", META)
def median_of_tasks(ground):
    """The median over tasks, entry by entry, stands in place of the mean."""
    return numpy.median(ground.g, 0, keepdims=True) if len(ground.v) > 2 else None


@of_rows("tasks", META)
def lower_median_of_tasks(ground):
    """The median over tasks, the lower of two, stands in place of the mean."""
    return numpy.sort(ground.g, 0)[[(len(ground.v) - 1) // 2]]


@of_rows("tasks", META)
def tasks_mixed(ground):
    """Each task's H is paired with the v of the next one."""
    if len(ground.v) == 1:
        return None
    return ground.lam * solve(ground.A, numpy.roll(ground.v, -1, 0))


@of_rows("tasks", META)
def tasks_mixed_backwards(ground):
    """Each task's H is paired with the v of the one before."""
    if len(ground.v) == 1:
        return None
    return ground.lam * solve(ground.A, numpy.roll(ground.v, 1, 0))


@of_rows("tasks", META)
def curvature_of_the_first_task(ground):
    """The first task's H is used for all."""
    if len(ground.v) == 1:
        return None
    first = numpy.broadcast_to(ground.A[:1], ground.A.shape)
    return ground.lam * solve(first, ground.v)


@of_rows("tasks", META)
def curvature_of_the_last_task(ground):
    """The last task's H is used for all."""
    if len(ground.v) == 1:
        return None
    last = numpy.broadcast_to(ground.A[-1:], ground.A.shape)
    return ground.lam * solve(last, ground.v)
