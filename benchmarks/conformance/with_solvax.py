"""solvax: ``pcg`` at L3, ``root_solve`` with its solvers at L4 and L5.

At L4 the root finder returns the φ given; at L5 it is ``newton_krylov`` from θ, started
again from its own answer.
"""

import jax
import solvax
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

from imaml_ref.conformance.from_jax import from_jax

from .jax_problem import Problem
from .subjects import Only, Variant

PACKAGES = ("solvax", "jax", "jaxlib")
METHODS = ("solve", "meta_grad", "inner", "lam_grad")


class Solved:
    """The inner problem of a task, by ``root_solve`` on flat vectors.

    Args:
        task: The task.
        cg: (matvec, b) → x, or None for the default of ``root_solve``.
    """

    def __init__(self, task, cg):
        self.problem, self.cg = Problem(task), cg
        self.theta, self.unravel = ravel_pytree(task.theta)
        self.lam, self.unravel_lam = ravel_pytree(self.problem.lam)

    def solution(self, theta, lam):
        """Return φ, differentiable in θ and λ, all flat."""

        def slope(phi):
            loss = jax.grad(lambda p: self.loss(p))(phi)
            return loss + lam * (phi - theta)

        options = {} if self.cg is None else {"tangent_solve": self.cg}
        return solvax.root_solve(slope, self.theta, self.root, **options)

    def loss(self, phi):
        """Return L(φ)."""
        return self.problem.loss(self.unravel(phi), self.problem.task.support)

    def root(self, slope, start):
        """Return the φ given, or a root of the slope."""
        if self.problem.task.phi is not None:
            return ravel_pytree(self.problem.task.phi)[0]
        first = solvax.newton_krylov(slope, start, rtol=1e-8, linear_rtol=1e-8).x
        return solvax.newton_krylov(slope, first, rtol=1e-8, linear_rtol=1e-8).x

    def outer(self, theta, lam):
        """Return Q(φ(θ, λ))."""
        return self.problem.outer(self.unravel(self.solution(theta, lam)))


def gradient_by(cg):
    """Return a function of a task: dQ/dθ."""

    def meta_grad(task):
        at = Solved(task, cg)
        return at.unravel(jax.jit(jax.grad(at.outer))(at.theta, at.lam))

    return meta_grad


def lam_gradient_by(cg):
    """Return a function of a task: dQ/dλ, a number for a number."""

    def lam_grad(task):
        at = Solved(task, cg)
        found = jax.jit(jax.grad(at.outer, argnums=1))(at.theta, at.lam)
        return at.unravel(found) if isinstance(task.lam, dict) else found.sum()

    return lam_grad


def inner(task):
    """Return φ."""
    at = Solved(task, None)
    return at.unravel(jax.jit(at.solution)(at.theta, at.lam))


def variant(name, text, cg):
    """Return a variant with a linear solver."""

    def make():
        adapter = from_jax(
            solve=lambda A, b: (cg or solvax_pcg())(lambda p: jnp.dot(A, p), b),
            meta_grad=gradient_by(cg),
            lam_grad=lam_gradient_by(cg),
            inner=inner,
        )
        return Only(adapter, METHODS, name)

    return Variant(text, make)


def solvax_pcg(**settings):
    """Return a function (matvec, b) → x by ``pcg_linear_solve``."""
    return lambda matvec, b: solvax.pcg_linear_solve(matvec, b, **settings).x


VARIANTS = {
    "tight": variant(
        "solvax pcg",
        "pcg_linear_solve(rtol=1e-15), root_solve(tangent_solve=the same); inner loop "
        "newton_krylov(rtol=1e-8, linear_rtol=1e-8), run twice",
        solvax_pcg(rtol=1e-15),
    ),
    "single-reduction": variant(
        "solvax pcg, single reduction",
        "as tight with single_reduction=True",
        solvax_pcg(rtol=1e-15, single_reduction=True),
    ),
    "shipped": variant(
        "solvax, as shipped",
        "pcg_linear_solve(): rtol=1e-8; root_solve(): dense; inner loop as in tight",
        None,
    ),
}
