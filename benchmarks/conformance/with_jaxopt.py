"""JAXopt: linear solvers at L3, ``custom_root`` at L4, its BFGS at L5."""

import functools

import jax
import jaxopt
from jax import numpy as jnp
from jaxopt import implicit_diff, linear_solve

from imaml_ref.conformance.from_jax import from_jax

from .jax_problem import Problem
from .subjects import Only, Variant

PACKAGES = ("jaxopt", "jax", "jaxlib")


def gradient_by(solve, minimiser):
    """Return a function of a task: the gradient by implicit differentiation."""

    def meta_grad(task):
        problem = Problem(task)
        solver = given(problem, solve) if task.phi else found(problem, minimiser)
        return jax.jit(jax.grad(lambda theta: problem.outer(solver(theta))))(task.theta)

    return meta_grad


def given(problem, solve):
    """Return θ ↦ φ, a φ that is given, differentiated by ``custom_root``."""

    @implicit_diff.custom_root(problem.slope, solve=solve)
    def solver(init, theta):
        return problem.task.phi

    return lambda theta: solver(None, theta)


def found(problem, minimiser):
    """Return θ ↦ φ*, by a minimiser of JAXopt and its own differentiation.

    It is started twice, the second time from its own answer: a line search that gives
    up for rounding gets another chance.
    """
    solver = minimiser(problem.inner)
    first = jax.jit(lambda start: solver.run(start, problem.theta).params)

    def solution(theta):
        return solver.run(first(problem.theta), theta).params

    return solution


def variant(name, settings, solve, minimiser):
    """Return a variant with a linear solver and a minimiser."""

    def make():
        adapter = from_jax(
            meta_grad=gradient_by(solve, minimiser),
            solve=lambda A, b: solve(lambda p: jnp.dot(A, p), b),
        )
        return Only(adapter, ("solve", "meta_grad"), name)

    return Variant(settings, make)


TIGHT_CG = functools.partial(linear_solve.solve_cg, tol=1e-14, maxiter=1000)

VARIANTS = {
    "tight": variant(
        "JAXopt",
        "solve_cg(tol=1e-14, maxiter=1000), custom_root(solve=the same), L5 by "
        "BFGS(tol=1e-14, maxiter=1000, implicit_diff_solve=the same), run twice",
        TIGHT_CG,
        lambda inner: jaxopt.BFGS(
            inner, tol=1e-14, maxiter=1000, implicit_diff_solve=TIGHT_CG
        ),
    ),
    "shipped": variant(
        "JAXopt, as shipped",
        "solve_normal_cg, the default of custom_root; L5 by LBFGS(), run twice",
        linear_solve.solve_normal_cg,
        jaxopt.LBFGS,
    ),
}
