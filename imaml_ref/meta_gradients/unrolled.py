"""The exact derivative of K inner steps, by the adjoint recursion.

Gradient descent φ_{k+1} = φ_k − α (∇L(φ_k) + Λ (φ_k − θ)), φ_0 = θ, has the derivatives

    ∂φ_{k+1}/∂φ_k = I − α (H(φ_k) + Λ),   ∂φ_{k+1}/∂θ = αΛ,
    ∂φ_{k+1}/∂λ_j = −α (φ_k − θ)_j e_j

so, starting from v = ∇Q(φ_K), θ̄ = 0 and λ̄ = 0, for k = K−1, …, 0

    θ̄ ← θ̄ + αΛ v,   λ̄_j ← λ̄_j − α v_j (φ_k − θ)_j,
    v ← v − α (H(φ_k) v + Λ v)                                                       (9)

and at the end θ̄ ← θ̄ + v, for φ_0 = θ.  It stores iterates, not a tape; the
linearisation at φ_k is made again on the way back.  With λ = 0 this is MAML.

Where gradient descent contracts, 0 < H + Λ < 2/α, it tends to (5) as K grows.

Source: Finn et al., "Model-Agnostic Meta-Learning", ICML 2017; (9) is the chain rule.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy

from ..compute import Array, norm, read
from ..data import TaskBatch
from ..inner import GradientDescent
from ..networks import context_for
from .diagnostics import cosine
from .estimation import accuracy_of, diagnosed
from .estimators import Estimator
from .objective import check_problem
from .strength import strength_if_any
from .task_mean import Chunk, MetaGradient, Tasks, mean_gradient


class Unrolled(Estimator):
    """(9), which solves nothing and is exact for the K steps taken."""

    name = "unrolled, the adjoint of K gradient steps"
    curvature = "hessian"


UNROLLED = Unrolled()


def unrolled_gradient(
    loss,
    theta: Array,
    tasks: Tasks,
    *,
    lam=2.0,
    inner: GradientDescent | None = None,
    keep: Iterable[str] = (),
) -> MetaGradient:
    """Return d/dθ of the mean of Q_t(φ_K(θ)), exact at any K.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        theta: Meta-parameters θ, (P,).
        tasks: A batch of tasks, or a list of batches; every task counts once.
        lam: λ > 0, a number or (P,), in loss/parameter²; None has no proximal term.
        inner: Gradient descent; default the paper's 16 steps of 0.1.
        keep: "phi" and "task_grads", to have them in the result.

    Raises:
        TypeError: If the inner optimiser is not gradient descent, or θ no array.
        ValueError: If λ is not positive, or a name in ``keep`` is unknown.
        InnerDivergence: If the inner loop runs away.
    """
    check_problem(loss, theta)
    inner = inner or GradientDescent()
    check_unrolls(inner)
    lam = strength_if_any(lam, theta)
    of_chunk = partial(unrolled_chunk, inner)
    return mean_gradient(loss, theta, tasks, lam, of_chunk, keep)


def check_unrolls(inner: Any) -> None:
    """Refuse an inner optimiser that has no adjoint here.

    Raises:
        TypeError: If it is not gradient descent.
    """
    if not isinstance(inner, GradientDescent):
        raise TypeError(
            f"only GradientDescent is unrolled, got {type(inner).__name__}; "
            "implicit_gradient takes any inner optimiser"
        )


def unrolled_chunk(inner, objective, chunk: TaskBatch, _: None) -> Chunk:
    """Return the gradients of a chunk by (9)."""
    lam, theta = objective.lam, objective.theta
    # Overflow is looked for afterwards, and reported as an error with its cause.
    with numpy.errstate(over="ignore", invalid="ignore"):
        iterates = list(inner.iterates(objective, theta))
    phi = iterates[-1]
    context = context_for(objective.loss, chunk.support_x)
    query = objective.loss.linearize(phi, chunk.query_x, chunk.query_y, **context)
    grads, lam_grads = adjoint(objective, iterates, query.grad, inner.step_size)
    if not hasattr(lam, "shape"):
        lam_grads = None if lam == 0 else lam_grads.sum(-1)
    at = objective.linearize(phi)
    measured = norm(at.grad), cosine(grads, query.grad), query.value, at.support.value
    exact = numpy.zeros(len(phi)), "exact for the K steps taken; it is not (5)"
    diagnose = partial(diagnosed, UNROLLED)
    diagnostics = read(diagnose, *measured, accuracy_of(query), exact, None)
    return Chunk(grads, lam_grads, phi, diagnostics)


def adjoint(objective, iterates, v: Array, alpha: float) -> tuple[Array, Array]:
    """Return θ̄ and λ̄, both (T, P), by the recursion (9)."""
    lam, theta = objective.lam, objective.theta
    theta_bar, lam_bar = 0 * v, 0 * v
    for phi in reversed(iterates[:-1]):
        theta_bar = theta_bar + alpha * lam * v
        lam_bar = lam_bar - alpha * v * (phi - theta)
        v = v - alpha * objective.linearize(phi).hvp(v)
    return theta_bar + v, lam_bar
