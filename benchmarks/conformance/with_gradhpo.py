"""gradhpo: ``compute_hypergradient`` of its optimisers at L4, in θ and in λ.

Its hypergradient is ∂Q/∂h + (∂Φ/∂h)ᵀ ∇Q for an inner step Φ(φ, h), which the user may
give.  Here Φ is one step of Newton's method, Φ(φ, h) = φ − (H + Λ)⁻¹ ∇G(φ, h), its
matrix held fixed: at a solution that derivative is the implicit one.
"""

import jax
from gradhpo import OneStepOptimizer, OnlineHypergradientOptimizer, T1T2Optimizer
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

from imaml_ref.conformance.from_jax import from_jax

from .jax_problem import Problem
from .subjects import Only, Variant

PACKAGES = ("gradhpo", "jax", "jaxlib")


def newton_step(problem, pull):
    """Return Φ(φ, h, batch); ``pull`` (φ, h) is the proximal term.

    Args:
        problem: The inner problem of a task whose φ is given.
        pull: (φ, h) → the proximal term for a hyperparameter h.
    """
    phi, unravel = ravel_pytree(problem.task.phi)
    support = problem.task.support
    H = jax.hessian(lambda p: problem.loss(unravel(p), support))(phi)
    matrix = H + jnp.diag(ravel_pytree(problem.lam)[0])

    def step(w, h, batch):
        slope = jax.grad(lambda p: problem.loss(p, support) + pull(p, h))(w)
        moved = jnp.linalg.solve(matrix, ravel_pytree(slope)[0])
        return jax.tree.map(jnp.subtract, w, unravel(moved))

    return step


def hypergradient(make, problem, h, pull):
    """Return what an optimiser computes at the φ that is given."""
    phi = problem.task.phi
    optimiser = make(newton_step(problem, pull))
    state = optimiser.init(phi, h).update(step=1)
    outer = lambda w, h, batch: problem.outer(w)  # noqa: E731
    return optimiser.compute_hypergradient(state, None, None, None, outer)


def at_given(task):
    """Return the inner problem of a task whose φ is given."""
    if task.phi is None:
        raise NotImplementedError("its inner loop is one of a few steps")
    return Problem(task)


def pulled(lam, phi, theta):
    """Return ½ Σ λ (φ − θ)², λ a number or a tree."""
    lam = lam if isinstance(lam, dict) else jax.tree.map(lambda _: lam, theta)
    terms = jax.tree.map(lambda w, p, t: (w * (p - t) ** 2).sum(), lam, phi, theta)
    return sum(jax.tree.leaves(terms)) / 2


def gradients(make):
    """Return the functions of a task: the hypergradients in θ and in λ."""

    def meta_grad(task):
        problem = at_given(task)
        return hypergradient(
            make, problem, task.theta, lambda p, theta: pulled(task.lam, p, theta)
        )

    def lam_grad(task):
        problem = at_given(task)
        lam = jax.tree.map(jnp.asarray, task.lam)
        return hypergradient(
            make, problem, lam, lambda p, lam: pulled(lam, p, task.theta)
        )

    return {"meta_grad": meta_grad, "lam_grad": lam_grad}


class EntryByEntry(T1T2Optimizer):
    """T1T2 with central differences of each entry for itself: a control."""

    def _numerical_darts_approximation(self, phi_fn, w, lam, batch, alpha):
        flat, unravel = ravel_pytree(lam)
        alpha = ravel_pytree(alpha)[0]

        def along(e):
            ahead, behind = (
                ravel_pytree(phi_fn(w, unravel(flat + s * self.eps * e), batch))[0]
                for s in (1, -1)
            )
            return alpha @ (ahead - behind) / (2 * self.eps)

        return unravel(jax.vmap(along)(jnp.eye(len(flat), dtype=flat.dtype)))


def variant(name, text, make):
    """Return a variant with one of its optimisers."""

    def made():
        return Only(from_jax(**gradients(make)), ("meta_grad", "lam_grad"), name)

    return Variant(text, made)


VARIANTS = {
    "tight": variant(
        "gradhpo OneStepOptimizer",
        "OneStepOptimizer(update_fn=a Newton step).compute_hypergradient",
        lambda step: OneStepOptimizer(update_fn=step),
    ),
    "online": variant(
        "gradhpo OnlineHypergradientOptimizer",
        "OnlineHypergradientOptimizer(update_fn=a Newton step), first step",
        lambda step: OnlineHypergradientOptimizer(update_fn=step),
    ),
    "online-control": variant(
        "gradhpo OnlineHypergradientOptimizer, control",
        "as online, gamma=0",
        lambda step: OnlineHypergradientOptimizer(update_fn=step, gamma=0.0),
    ),
    "t1t2": variant(
        "gradhpo T1T2Optimizer",
        "T1T2Optimizer(update_fn=a Newton step), eps=1e-4, as shipped",
        lambda step: T1T2Optimizer(update_fn=step),
    ),
    "t1t2-control": variant(
        "gradhpo T1T2Optimizer, control",
        "as t1t2, its differences taken for each entry of a tensor by itself",
        lambda step: EntryByEntry(update_fn=step),
    ),
}
