"""One chunk of tasks: from solutions φ to estimates g_t, with what was measured.

For every task take v = ∇Q(φ), let an estimator make g of it, and measure r₁ and r₂ on
the way.  The sweep at φ that gives ‖∇G‖ is the linearisation that the solver uses.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy

from ..compute import Array, norm, read
from ..data import TaskBatch
from ..inner import InnerDivergence
from ..networks import context_for
from .bound import constants, error_bound, has_constants
from .diagnostics import Diagnostics, cosine, solver_fields
from .estimators import Estimator, Implicit
from .partial import moved_by, restricted
from .task_mean import Chunk, MetaGradient, Tasks, mean_gradient


def estimate_gradient(
    loss,
    theta: Array,
    tasks: Tasks,
    lam,
    find: Callable[..., Array],
    estimator: Estimator,
    keep: Iterable[str] = (),
    phi: Array | None = None,
) -> MetaGradient:
    """Return the mean over tasks of an estimator's g_t.

    Args:
        loss: As in ``implicit_gradient``.
        theta: Meta-parameters θ, (P,).
        tasks: A batch of tasks, or a list of batches.
        lam: λ as ``proximal_strength`` returns it, or 0 for no proximal term.
        find: Returns φ (T, P) for an objective, θ, and its part of ``phi``.
        estimator: One of ``estimators``.
        keep: "phi" and "task_grads", to have them in the result.
        phi: What ``find`` is to know of all tasks, (T, P).
    """
    moving = moved_by(loss, estimator.adapted, theta)

    def of_chunk(objective, chunk: TaskBatch, found: Array | None) -> Chunk:
        objective = restricted(objective, moving)
        return chunk_at(objective, find(objective, theta, found), chunk, estimator)

    look = partial(approved, estimator, lam)
    return mean_gradient(
        loss, theta, tasks, lam, of_chunk, keep, phi=phi, approved=look
    )


def approved(estimator, lam, results: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks, once the estimator has seen what the solver says of them.

    Raises:
        NotPositiveDefinite: If the solver was to refuse negative curvature.
    """
    infos: list[Any] = []
    for chunk in results:
        infos.append(chunk.info)
        check = partial(checked, estimator, lam)
        yield replace(chunk, diagnostics=read(check, chunk.diagnostics, *infos))


def checked(estimator, lam, diagnostics: Diagnostics, *infos) -> Diagnostics:
    """Return the diagnostics of a chunk, if the estimator lets its solutions pass."""
    estimator.check(list(infos), lam)
    return diagnostics


def chunk_at(objective, phi: Array, chunk: TaskBatch, estimator) -> Chunk:
    """Return g_t, dQ/dλ and diagnostics of a chunk at its solutions φ.

    Raises:
        InnerDivergence: If ∇G(φ) is not finite.
    """
    context = context_for(objective.loss, chunk.support_x)
    query = objective.loss.linearize(phi, chunk.query_x, chunk.query_y, **context)
    v, query_loss, accuracy = query.grad, query.value, accuracy_of(query)
    del query  # its sweeps need not live beside those of the support set
    at = objective.linearize(phi)
    found = estimator.estimate(at, v)
    r1 = read(finite, norm(at.grad))
    bound = proven_bound(objective, chunk, estimator, at, r1, v, found.x)
    measured = r1, cosine(found.g, v), query_loss, at.support.value, accuracy, bound
    diagnostics = read(partial(diagnosed, estimator), *measured, found.info)
    return Chunk(found.g, lam_gradients(found.x, at), phi, diagnostics, found.info)


def lam_gradients(x: Array | None, at) -> Array | None:
    """Return −x_j (φ_j − θ_j) of (7), (T, P), or its sum over j, (T,), for scalar λ."""
    if x is None:
        return None
    return -x * at.away if hasattr(at.lam, "shape") else -(x * at.away).sum(-1)


def finite(r1: numpy.ndarray) -> numpy.ndarray:
    """Return ‖∇G(φ)‖, (T,).

    Raises:
        InnerDivergence: If it is not finite.
    """
    if not numpy.isfinite(r1).all():
        task = int(numpy.isfinite(r1).argmin())
        raise InnerDivergence(
            f"inner solution is not finite: ‖∇G(φ)‖ = {r1[task]}; "
            "lower the inner step size or raise lam",
            task=task,
        )
    return r1


def diagnosed(
    estimator, r1, cosines, query_loss, support_loss, accuracy, bound, info
) -> Diagnostics:
    """Return the diagnostics of a chunk from what was measured, all on the host."""
    value, reason = bound
    return Diagnostics(
        inner_residual=r1,
        cosine=cosines,
        query_loss=query_loss,
        support_loss=support_loss,
        query_accuracy=accuracy,
        bound=value,
        bound_reason=reason,
        estimator=estimator.name,
        curvature=estimator.curvature,
        damping=estimator.damping,
        **solver_fields(info, len(r1)),
    )


def proven_bound(objective, chunk, estimator, at, r1, v, x):
    """Return the bound (8) per task, or None, and the reason; or a reading of them."""
    if not isinstance(estimator, Implicit) or estimator.damping:
        return None, "none: the estimator is not (5)"
    # Where there are constants the network is affine, and Gauss-Newton is the Hessian.
    if not has_constants(objective.loss):
        return None, "none: no lower bound of the curvature of L is proved here"
    # From its definition: what a solver reports may be a recursion's idea of it.
    residual = norm(v - at.hvp(x))
    arrays = (r1, residual, objective.lam, chunk.support_x, chunk.query_x)
    return read(partial(bound_of, objective.loss), *arrays)


def bound_of(loss, r1, r2, lam, support_x, query_x) -> tuple[numpy.ndarray, str]:
    """Return the bound (8) per task, and why there is one."""
    known: Any = constants(loss, support_x, query_x)
    reason = "proved, in exact arithmetic: L is convex, so μ = min λ"
    return error_bound(r1, r2, lam, known), reason


def accuracy_of(lin) -> Array:
    """Return the share of right answers (T,), NaN where the loss knows none."""
    accuracy = lin.accuracy() if hasattr(lin, "accuracy") else None
    return numpy.full(len(lin.value), numpy.nan) if accuracy is None else accuracy
