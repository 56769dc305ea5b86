"""optimistix and lineax: lineax at L3, ``root_find`` and its implicit adjoint at L5.

At L4 ``root_find`` starts at the φ that is given, which it may still polish.
"""

import jax
import lineax
import optimistix

from imaml_ref.conformance.from_jax import from_jax

from .jax_problem import Problem
from .subjects import Only, Variant

PACKAGES = ("optimistix", "lineax", "equinox", "jax", "jaxlib")
SPD = frozenset({lineax.positive_semidefinite_tag})


def gradient_by(adjoint_solver, tolerance):
    """Return a function of a task: the gradient by ``ImplicitAdjoint``."""
    adjoint = optimistix.ImplicitAdjoint(linear_solver=adjoint_solver)

    def meta_grad(task):
        problem = Problem(task)
        start = downhill(problem) if task.phi is None else task.phi
        newton = optimistix.Newton(rtol=tolerance, atol=tolerance)

        def outer(theta):
            options = {"adjoint": adjoint, "tags": SPD, "throw": False}
            found = optimistix.root_find(problem.slope, newton, start, theta, **options)
            return problem.outer(found.value)

        return jax.jit(jax.grad(outer))(task.theta)

    return meta_grad


def downhill(problem):
    """Return a minimum of G, by BFGS from θ: where Newton's method may start."""
    bfgs = optimistix.BFGS(rtol=1e-8, atol=1e-8)
    run = jax.jit(
        lambda theta: optimistix.minimise(
            problem.inner, bfgs, theta, theta, max_steps=2000, throw=False
        ).value
    )
    return run(problem.theta)


def linear_solve(solver):
    """Return a function (A, b) → x."""

    def solve(A, b):
        operator = lineax.MatrixLinearOperator(A, lineax.positive_semidefinite_tag)
        return lineax.linear_solve(operator, b, solver=solver).value

    return solve


def variant(name, settings, solver, tolerance):
    """Return a variant with a linear solver and a tolerance of Newton's method."""

    def make():
        adapter = from_jax(
            meta_grad=gradient_by(solver, tolerance), solve=linear_solve(solver)
        )
        return Only(adapter, ("solve", "meta_grad"), name)

    return Variant(settings, make)


VARIANTS = {
    "tight": variant(
        "optimistix and lineax CG",
        "lineax.CG(rtol=1e-14, atol=1e-30, max_steps=1000), also in ImplicitAdjoint; "
        "Newton(rtol=1e-12, atol=1e-12) from a minimum by BFGS",
        lineax.CG(rtol=1e-14, atol=1e-30, max_steps=1000),
        1e-12,
    ),
    "shipped": variant(
        "optimistix, its default solver",
        "AutoLinearSolver(well_posed=None), the default of ImplicitAdjoint; "
        "Newton(rtol=1e-8, atol=1e-8) from a minimum by BFGS",
        lineax.AutoLinearSolver(well_posed=None),
        1e-8,
    ),
}
