"""JAX with flax' layers and optax' losses: its routes to H v and G v, under ``jit``."""

from functools import partial

import jax
import jax.numpy as jnp

from .cases import Framework
from .jax_cases import LAYERS, LOSSES, OPERATIONS

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def grad_grad(f, p, v):
    """∇⟨∇f, v⟩, each by a sweep backwards."""
    return jax.grad(lambda q: jax.grad(f)(q) @ v)(p)


def grad_jvp(f, p, v):
    """The gradient of the tangent."""
    return jax.grad(lambda q: jax.jvp(f, (q,), (v,))[1])(p)


def jvp_vjp(z, p, v):
    """Jᵀ (2/n) J v, J v forwards."""
    found, z_dot = jax.jvp(z, (p,), (v,))
    return jax.vjp(z, p)[1](2 / len(found) * z_dot)[0]


def linearize_transpose(z, p, v):
    """Jᵀ (2/n) J v, both from one linearisation."""
    found, forwards = jax.linearize(z, p)
    return jax.linear_transpose(forwards, p)(2 / len(found) * forwards(v))[0]


def value(f, p):
    """Return f(p)."""
    return f(p)


def gradient(f, p):
    """Return ∇f(p)."""
    return jax.grad(f)(p)


ROUTES = {
    "grad(grad)": grad_grad,
    "jvp(grad)": lambda f, p, v: jax.jvp(jax.grad(f), (p,), (v,))[1],
    "grad(jvp)": grad_jvp,
    "hessian": lambda f, p, v: jax.hessian(f)(p) @ v,
    "jacrev²": lambda f, p, v: jax.jacrev(jax.jacrev(f))(p) @ v,
    "linearize(grad)": lambda f, p, v: jax.linearize(jax.grad(f), p)[1](v),
}
GN_ROUTES = {"G: jvp, vjp": jvp_vjp, "G: linearize, transpose": linearize_transpose}


class Jax(Framework):
    packages = ("jax", "jaxlib", "flax", "optax")
    cases = (*LAYERS, *LOSSES, *OPERATIONS)

    def __init__(self):
        self.known = {}
        self.routes = {name: self.jitted(r) for name, r in ROUTES.items()}
        self.gn_routes = {name: self.jitted(r) for name, r in GN_ROUTES.items()}

    def jitted(self, route):
        """Return a route that is compiled once for each function."""

        def compiled(f, p, v):
            return self.compiled(f, route)(p, v)

        return compiled

    def array(self, values):
        return jnp.asarray(values, dtype=jnp.float64)

    def evaluate(self, f, p):
        return self.compiled(f, value)(p)

    def gradient(self, f, p):
        return self.compiled(f, gradient)(p)

    def compiled(self, f, made):
        """Return a function of f and of arrays, compiled once."""
        if (f, made) not in self.known:
            self.known[f, made] = jax.jit(partial(made, f))
        return self.known[f, made]


FRAMEWORK = Jax()
