"""The inner loop alone: from θ and support sets to φ."""

from typing import Any

from ..compute import Array, array_module
from ..data import TaskBatch
from ..inner import GradientDescent, check_inner, solve
from .estimators import ADAPTED
from .objective import ProximalObjective, check_labels, check_problem
from .partial import moved_by, restricted
from .strength import strength_if_any
from .task_mean import each_chunk


def adapt(
    loss,
    theta: Array,
    x: Array,
    y: Array,
    *,
    lam=2.0,
    inner: Any = None,
    adapted: Any = None,
) -> Array:
    """Return φ (T, P), adapted from θ to support sets x (T, N, ...), y (T, N).

    Args:
        loss: As in ``implicit_gradient``.
        theta: Meta-parameters θ, (P,).
        x: Support inputs.
        y: Support labels.
        lam: λ > 0 as in ``implicit_gradient``; None adapts without a proximal term.
        inner: Solves (1); default the paper's 16 gradient steps of 0.1.
        adapted: Names of the layers that may move; None is all.

    Raises:
        TypeError: If θ, x or y is no array.
        ValueError: If λ is not positive, or there is no task.
        InnerDivergence: If the inner loop runs away.
    """
    check_problem(loss, theta)
    lam = strength_if_any(lam, theta)
    support = TaskBatch(x, y, x, y)
    if not len(support):
        raise ValueError("expected at least one task, got none")
    check_labels(loss, y)
    find = check_inner("inner", inner or GradientDescent())
    moving = moved_by(loss, ADAPTED("adapted", adapted), theta)

    def on_chunk(chunk: TaskBatch, _: None) -> Array:
        objective = ProximalObjective(
            loss, theta, chunk.support_x, chunk.support_y, lam
        )
        return solve(find, restricted(objective, moving), theta)

    found = list(each_chunk(on_chunk, support, theta))
    return array_module(theta).concatenate(found)
