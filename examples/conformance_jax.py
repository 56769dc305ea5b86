"""Is my JAX meta-gradient right?  Ask the suite, and read where it is not.

    pip install jax
    python examples/conformance_jax.py
    python examples/conformance_jax.py --mistake

What is judged here is iMAML in the style of JAX: pure functions of trees, products with
H forward over reverse, conjugate gradients in a ``while_loop``.  Only the last lines
are about the suite: a function of a task goes in, a report comes out.  With --mistake
the products with H are taken at θ, where the inner loop began, in place of φ, where it
ended.
"""

import argparse
import warnings
from functools import partial

import jax
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

from imaml_ref import conformance
from imaml_ref.conformance.from_jax import from_jax

CASES = ["logistic", "mlp-lam-vector", "not-stationary", "indefinite"]
NEWTON_STEPS = 12


def my_meta_grad(task, *, at_theta=False):
    """Return g = λ (H + λI)⁻¹ ∇Q as a tree; warn if φ is no minimum."""
    theta, unravel = ravel_pytree(task.theta)
    lam = jnp.broadcast_to(as_vector(task.lam), theta.shape)
    net = task.model, task.loss, unravel
    phi = as_vector(task.phi)
    if phi is None:
        phi = my_inner_loop(net, theta, lam, task.support)
    x, share, curvature = my_system(
        net, phi, theta if at_theta else phi, theta, lam, task.support, task.query
    )
    if share > 1e-6:
        warnings.warn("the inner loop has not converged", stacklevel=2)
    my_check(curvature)
    return unravel(lam * x)


def my_stale_products(task):
    """Return the same with H at θ."""
    return my_meta_grad(task, at_theta=True)


def my_loss(net, phi, examples):
    """Return the loss at a flat φ."""
    model, loss, unravel = net
    x, y = examples
    return loss(model(unravel(phi), x), y)


def my_operator(net, phi, lam, support):
    """Return p ↦ (H + λI) p, H at φ."""
    slope = jax.grad(lambda phi: my_loss(net, phi, support))
    return lambda p: jax.jvp(slope, (phi,), (p,))[1] + lam * p


def my_residual(net, phi, theta, lam, support):
    """Return ∇L(φ) + λ (φ − θ), zero at the minimum of the inner problem."""
    return jax.grad(lambda phi: my_loss(net, phi, support))(phi) + lam * (phi - theta)


@partial(jax.jit, static_argnums=0)
def my_inner_loop(net, theta, lam, support):
    """Return φ by Newton's method, started at θ."""

    def step(_, phi):
        operator = my_operator(net, phi, lam, support)
        return phi - my_cg(operator, my_residual(net, phi, theta, lam, support))[0]

    return jax.lax.fori_loop(0, NEWTON_STEPS, step, theta)


@partial(jax.jit, static_argnums=0)
def my_system(net, phi, where, theta, lam, support, query):
    """Return x with (H + λI) x = ∇Q(φ), ‖∇G‖ relative, and the least curvature seen."""
    v = jax.grad(lambda phi: my_loss(net, phi, query))(phi)
    x, curvature = my_cg(my_operator(net, where, lam, support), v)
    residual = my_residual(net, phi, theta, lam, support)
    share = jnp.linalg.norm(residual) / jnp.linalg.norm(lam * (phi - theta))
    return x, share, curvature


def my_cg(matvec, b):
    """Solve A x = b to rounding; return x, and the least curvature that was seen."""

    def more(state):
        _, r, _, k, lowest = state
        return (r @ r > (1e-15) ** 2 * (b @ b)) & (k < 4 * len(b)) & (lowest > 0)

    def step(state):
        x, r, p, k, lowest = state
        Ap = matvec(p)
        curvature = p @ Ap
        x, smaller = x + r @ r / curvature * p, r - r @ r / curvature * Ap
        p = smaller + smaller @ smaller / (r @ r) * p
        return x, smaller, p, k + 1, jnp.minimum(lowest, curvature)

    start = 0 * b, b, b, 0, jnp.full_like(b, jnp.inf, shape=())
    x, _, _, _, lowest = jax.lax.while_loop(more, step, start)
    return x, lowest


def my_solve(A, b):
    """Return x with A x = b; warn if A is seen not to be positive definite."""
    x, curvature = my_cg(A.__matmul__, b)
    my_check(curvature)
    return x


def my_check(curvature):
    """Say so where CG met negative curvature: it has no right to an answer there."""
    if curvature <= 0:
        warnings.warn(f"negative curvature: pᵀAp = {curvature:.2g}", stacklevel=2)


def as_vector(tree):
    """Return a tree as a vector; numbers, and None, stay what they are."""
    return ravel_pytree(tree)[0] if isinstance(tree, dict) else tree


def main() -> None:
    """Ask, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mistake", action="store_true", help="take H at θ")
    wanted = my_stale_products if parser.parse_args().mistake else my_meta_grad
    mine = from_jax(meta_grad=wanted, solve=my_solve)
    report = conformance.check(mine, cases=CASES)
    print(conformance.as_text(conformance.diagnose(report, conformance.load_suite())))


if __name__ == "__main__":
    main()
