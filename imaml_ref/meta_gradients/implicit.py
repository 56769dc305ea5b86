"""Meta-gradients by the implicit function theorem.

For every task: solve the inner problem (1), take v = ∇Q(φ), solve (5), give g = Λ x:

    (H + Λ) x = v,   g = Λ x,   dQ/dλ_j = −x_j (φ_j − θ_j)                      (5), (7)

then the mean over tasks.  ``estimators.Implicit`` is (5), ``estimation`` measures, and
``task_mean`` sums.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from ..compute import Array, check_array
from ..inner import GradientDescent, check_inner, solve
from ..solvers import CG
from .estimation import estimate_gradient
from .estimators import Implicit
from .objective import check_problem
from .strength import proximal_strength
from .task_mean import MetaGradient, Tasks, batches


def implicit_gradient(
    loss,
    theta: Array,
    tasks: Tasks,
    *,
    lam=2.0,
    inner: Any = None,
    solver: Any = None,
    curvature: str = "hessian",
    damping: float = 0.0,
    adapted: Any = None,
    keep: Iterable[str] = (),
) -> MetaGradient:
    """Return the implicit meta-gradient (5), the mean over tasks, with diagnostics.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp`` (and
            ``.gnvp``, if the curvature asks for it), such as ``TaskLoss``.
        theta: Meta-parameters θ, (P,).
        tasks: A batch of tasks, or a list of batches; every task counts once.
        lam: λ > 0, a number or (P,), in loss/parameter².
        inner: Solves (1); default the paper's 16 gradient steps of 0.1.
        solver: Solves (5); default the paper's five CG steps.
        curvature: "hessian", or "gauss-newton" for G in place of H.
        damping: Added to Λ in the operator; 0 is (5), anything else another estimator.
        adapted: Names of the layers that the inner loop moves, (16); None is all.
        keep: "phi" and "task_grads", to have them in the result.

    Raises:
        TypeError: If θ is no array.
        ValueError: If λ is not positive, or a name is unknown.
        InnerDivergence: If the inner loop runs away.
        NotPositiveDefinite: If the solver is to refuse negative curvature and meets it.

    Source: Rajeswaran et al., NeurIPS 2019, algorithms 1 and 2.
    """
    estimator = Implicit(solver or CG(), curvature, damping, adapted)
    check_problem(loss, theta)
    lam = proximal_strength(lam, theta, estimator.damping)
    find = partial(solve, check_inner("inner", inner or GradientDescent()))
    return estimate_gradient(loss, theta, tasks, lam, find, estimator, keep)


def implicit_gradient_at(
    loss,
    theta: Array,
    phi: Array,
    tasks: Tasks,
    *,
    lam=2.0,
    solver: Any = None,
    curvature: str = "hessian",
    damping: float = 0.0,
    adapted: Any = None,
    keep: Iterable[str] = (),
) -> MetaGradient:
    """Return (5)–(7) at solutions φ (T, P) that somebody else found.

    How stationary φ is, ``diagnostics.inner_residual`` says; the other arguments are
    those of ``implicit_gradient``.

    Raises:
        ValueError: If λ is not positive, a name is unknown, or φ is not (T, P).
        TypeError: If φ or θ is no array, or φ has not the dtype of θ.
        NotPositiveDefinite: If the solver is to refuse negative curvature and meets it.
    """
    estimator = Implicit(solver or CG(), curvature, damping, adapted)
    check_problem(loss, theta)
    lam = proximal_strength(lam, theta, estimator.damping)
    check_array("φ", phi)
    tasks = batches(tasks)
    num_tasks = sum(map(len, tasks))
    if phi.shape != (num_tasks, len(theta)):
        raise ValueError(f"φ expects shape {(num_tasks, len(theta))}, got {phi.shape}")
    if phi.dtype != theta.dtype:
        raise TypeError(f"φ must have the dtype of θ, {theta.dtype}, got {phi.dtype}")

    def given(objective, theta: Array, phi: Array) -> Array:
        return phi

    return estimate_gradient(loss, theta, tasks, lam, given, estimator, keep, phi)
