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

For F = Σ_k w_k Q(φ_k), the multi-step loss, and α a vector, 0 where a layer stays, with
u = α v and from v = w_K ∇Q(φ_K), λ̄_j ← λ̄_j − u_j (φ_k − θ)_j and

    θ̄ ← θ̄ + Λ u,   ᾱ_j ← ᾱ_j − v_j ∇G(φ_k)_j,
    v ← v − (H(φ_k) u + Λ u) + w_k ∇Q(φ_k)                                          (17)

for ∂φ_{k+1}/∂α_j = −∇G(φ_k)_j e_j; parameters that share an α add up.

Truncated: in all but the last m steps ∇L counts as a constant, H(φ_k) as 0.  There
θ̄ + v stays what it is, and g is that of the recursion stopped at step K − m; λ̄ and ᾱ
still get what earlier steps add.  m = 0 is first order, with a derivative in α.

Sources: Finn et al., "Model-Agnostic Meta-Learning", ICML 2017; Antoniou et al., "How
to train your MAML", ICLR 2019 (w); Li et al., "Meta-SGD", arXiv 1707.09835, 2017 (α);
Shaban et al., "Truncated Back-propagation for Bilevel Optimization", AISTATS 2019 (m).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy

from ..arguments import number, optional, setting, whole
from ..compute import Array, norm, read
from ..data import TaskBatch
from ..inner import GradientDescent
from ..networks import context_for
from .diagnostics import cosine
from .estimation import accuracy_of, diagnosed
from .estimators import ADAPTED, Estimator, only_in
from .objective import check_problem
from .partial import moved_by, restricted
from .strength import strength_if_any
from .task_mean import Chunk, MetaGradient, Tasks, mean_gradient


def step_weights(name: str, weights: Any) -> tuple[float, ...]:
    """Return w_0, …, w_K, each a finite number >= 0."""
    return tuple(number("[0, inf)")(name, w) for w in numpy.ravel(weights).tolist())


@dataclass(frozen=True)
class Unrolled(Estimator):
    """(9), which solves nothing and is exact for the K steps taken.

    Args: As those of ``unrolled_gradient``.
    """

    adapted: Any = setting(ADAPTED, None)
    last: Any = setting(optional(whole(0)), None)
    weights: Any = setting(optional(step_weights), None)

    @property
    def curvature(self) -> str:
        """Whether there is a Hessian in it."""
        return "none" if self.last == 0 else "hessian"

    @property
    def name(self) -> str:
        """What is differentiated, in words."""
        words = "unrolled, the adjoint of K gradient steps"
        words += "" if self.last is None else f", H of the last {self.last}"
        words += "" if self.weights is None else ", multi-step loss"
        return words + only_in(self.adapted)

    def check_steps(self, inner: Any) -> None:
        """Refuse an inner optimiser with no adjoint here, or other than K steps.

        Raises:
            TypeError: If it is not gradient descent.
            ValueError: If the weights are not those of its steps.
        """
        if not isinstance(inner, GradientDescent):
            raise TypeError(
                f"only GradientDescent is unrolled, got {type(inner).__name__}; "
                "implicit_gradient takes any inner optimiser"
            )
        steps, given = inner.num_steps, len(self.weights or ())
        if given and given != steps + 1:
            raise ValueError(
                f"weights must be w_0, …, w_{steps} for {steps} inner steps, "
                f"got {given} of them"
            )


def unrolled_gradient(
    loss,
    theta: Array,
    tasks: Tasks,
    *,
    lam=2.0,
    inner: GradientDescent | None = None,
    adapted: Any = None,
    last: int | None = None,
    weights: Any = None,
    keep: Iterable[str] = (),
) -> MetaGradient:
    """Return d/dθ of the mean of Σ_k w_k Q_t(φ_k(θ)), by default of Q_t(φ_K(θ)).

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        theta: Meta-parameters θ, (P,).
        tasks: A batch of tasks, or a list of batches; every task counts once.
        lam: λ > 0, a number or (P,), in loss/parameter²; None has no proximal term.
        inner: Gradient descent; default the paper's 16 steps of 0.1.
        adapted: Names of the layers that the inner loop moves; None is all.
        last: m, how many of the last steps are differentiated; None is all.
        weights: w_0, …, w_K; None is Q(φ_K) alone.
        keep: "phi" and "task_grads", to have them in the result.

    Raises:
        TypeError: If the inner optimiser is not gradient descent, or θ no array.
        ValueError: If λ is not positive, or another setting not what it must be.
        InnerDivergence: If the inner loop runs away.
    """
    check_problem(loss, theta)
    inner = inner or GradientDescent()
    estimator = Unrolled(adapted, last, weights)
    estimator.check_steps(inner)
    lam = strength_if_any(lam, theta)
    moving = moved_by(loss, estimator.adapted, theta)
    of_chunk = partial(unrolled_chunk, inner, estimator, moving)
    return mean_gradient(loss, theta, tasks, lam, of_chunk, keep)


def unrolled_chunk(inner, estimator, moving, objective, chunk: TaskBatch, _) -> Chunk:
    """Return the gradients of a chunk by (17)."""
    objective = restricted(objective, moving)
    lam, theta, loss = objective.lam, objective.theta, objective.loss
    # Overflow is looked for afterwards, and reported as an error with its cause.
    with numpy.errstate(over="ignore", invalid="ignore"):
        iterates = list(inner.iterates(objective, theta))
    phi, K = iterates[-1], len(iterates) - 1
    weights = estimator.weights or (*[0.0] * K, 1.0)
    context = context_for(loss, chunk.support_x)
    query = loss.linearize(phi, chunk.query_x, chunk.query_y, **context)

    def slope(k: int) -> Any:
        if k == K or not weights[k]:
            return weights[k] * query.grad if k == K else 0
        at = loss.linearize(iterates[k], chunk.query_x, chunk.query_y, **context)
        return weights[k] * at.grad

    first = 0 if estimator.last is None else K - estimator.last
    alpha = inner.sizes(objective, theta)
    grads, lam_grads, alpha_grads = adjoint(objective, iterates, alpha, slope, first)
    if not hasattr(lam, "shape"):
        lam_grads = None if lam == 0 else lam_grads.sum(-1)
    if not (shape := getattr(inner.step_size, "shape", ())):
        alpha_grads = alpha_grads.sum(-1)
    elif shape != theta.shape:
        alpha_grads = loss.net.layout.gathered(alpha_grads)
    at = objective.linearize(phi)
    measured = norm(at.grad), cosine(grads, query.grad), query.value, at.support.value
    exact: Any = numpy.zeros(len(phi)), "exact for the K steps taken; it is not (5)"
    if first > 0:
        exact = None, "none: the first steps are not differentiated"
    diagnose = partial(diagnosed, estimator)
    diagnostics = read(diagnose, *measured, accuracy_of(query), exact, None)
    return Chunk(grads, lam_grads, phi, diagnostics, alpha_grads=alpha_grads)


def adjoint(
    objective, iterates, alpha, slope: Callable[[int], Any], first: int = 0
) -> tuple[Array, Array, Array]:
    """Return θ̄, λ̄ and ᾱ, each (T, P), by (9), in the form of (17).

    Args:
        objective: G, of φ_a where layers stay.
        iterates: φ_0, …, φ_K.
        alpha: α, a number or (P,).
        slope: k ↦ w_k ∇Q(φ_k).
        first: The first step that is differentiated, K − m.
    """
    lam, theta, K = objective.lam, objective.theta, len(iterates) - 1
    v = slope(K)
    theta_bar = lam_bar = alpha_bar = 0 * v
    for k in reversed(range(K)):
        phi, u = iterates[k], alpha * objective.only(v)
        at = objective.linearize(phi) if k >= first else None
        theta_bar = theta_bar + lam * u
        lam_bar = lam_bar - u * (phi - theta)
        alpha_bar = alpha_bar - v * (at.grad if at else objective.grad(phi))
        v = v - lam * u + slope(k)
        v = v - at.support.hvp(u) if at else v
    return theta_bar + v, lam_bar, alpha_bar
