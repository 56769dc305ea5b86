"""Implicit MAML in JAX, written from docs/conformance-format.md alone.

All tasks at once by ``vmap``, dense Hessians and Cholesky.  It is here to be broken:
the blind list plants mistakes in this source and in that of jax_network.
"""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy

from .jax_network import apply, criterion

jax.config.update("jax_enable_x64", True)


@partial(jax.jit, static_argnums=(0, 1))
def value_and_grad(spec, kind, phi, x, y):
    """Return losses (T,) and gradients (T, P) of a set."""
    return jax.vmap(jax.value_and_grad(partial(risk, spec, kind)))(phi, x, y)


@partial(jax.jit, static_argnums=(0, 1))
def hessians(spec, kind, phi, x, y):
    """Return Hessians (T, P, P) of a set."""
    return jax.vmap(jax.hessian(partial(risk, spec, kind)))(phi, x, y)


def risk(spec, kind, phi, x, y):
    """Return the loss of one task."""
    return criterion(kind, apply(json.loads(spec)["layers"], phi, x), y)


class Refusal(ArithmeticError):
    """There is no trustworthy answer."""


def cholesky_solve(A, b):
    """Return x with A x = b.

    Raises:
        Refusal: If A is not positive definite.
    """
    lower = jnp.linalg.cholesky(A)
    if jnp.isnan(lower).any():
        raise Refusal("the matrix is not positive definite")
    y = jax.scipy.linalg.solve_triangular(lower, b, lower=True)
    x = jax.scipy.linalg.solve_triangular(lower, y, lower=True, trans="T")
    return x


class Group:
    """Tasks of one size."""

    def __init__(self, case, part):
        """Take the arrays of a part of a case."""
        self.spec, self.kind = json.dumps(case.network), case.loss
        arrays = (part.inputs[f"{s}_{a}"] for s in ("support", "query") for a in "xy")
        arrays = [jnp.asarray(a) for a in arrays]
        self.support, self.query = arrays[:2], arrays[2:]
        self.count = len(arrays[0])

    def support_grad(self, phi):
        """Return L and ∇L."""
        return value_and_grad(self.spec, self.kind, phi, *self.support)

    def query_grad(self, phi):
        """Return ∇Q."""
        return value_and_grad(self.spec, self.kind, phi, *self.query)[1]

    def hvp(self, phi, v):
        """Return H v, forward over reverse."""
        return jax.jvp(lambda p: self.support_grad(p)[1], (phi,), (v,))[1]

    def gnvp(self, phi, v):
        """Return Jᵀ H_z J v."""
        x, y = self.support
        layers = json.loads(self.spec)["layers"]
        outputs = jax.vmap(partial(apply, layers))
        z, z_dot = jax.jvp(lambda p: outputs(p, x), (phi,), (v,))
        z_bar = jax.vmap(jax.grad(partial(criterion, self.kind)))
        curved = jax.jvp(lambda z: z_bar(z, y), (z,), (z_dot,))[1]
        return jax.vjp(lambda p: outputs(p, x), phi)[1](curved)[0]

    def operator(self, phi, lam):
        """Return H + Λ, (T, P, P)."""
        H = hessians(self.spec, self.kind, phi, *self.support)
        return H + jnp.diag(lam)

    def minimise(self, theta, lam):
        """Return φ*, by Levenberg-Marquardt from θ, all tasks in step."""
        phi = jnp.tile(theta, (self.count, 1))
        damping = jnp.ones(self.count)
        for _ in range(120):
            value, pull = self.objective(phi, theta, lam)
            values, vectors = jnp.linalg.eigh(self.operator(phi, lam))
            inverse = 1.0 / (jnp.maximum(jnp.abs(values), 1e-9) + damping[:, None])
            step = jnp.einsum("tij,tj,tkj,tk->ti", vectors, inverse, vectors, pull)
            trial = phi - step
            after, _ = self.objective(trial, theta, lam)
            better = after <= value + 1e-13 * (1 + jnp.abs(value))
            phi = jnp.where(better[:, None], trial, phi)
            damping = jnp.where(better, damping / 4, jnp.maximum(4 * damping, 1e-2))
            damping = jnp.where(damping < 1e-3, 0.0, damping)
            if jnp.all(jnp.linalg.norm(step, axis=1) < 1e-13):
                break
        return phi

    def objective(self, phi, theta, lam):
        """Return G and ∇G, (T,) and (T, P)."""
        value, g = self.support_grad(phi)
        away = phi - theta
        return value + 0.5 * (lam * away**2).sum(-1), g + lam * away

    def demand_solution(self, phi, theta, lam):
        """Refuse a φ that is no solution of the inner problem."""
        g, pull = self.support_grad(phi)[1], lam * (phi - theta)
        left = jnp.linalg.norm(g + pull, axis=1)
        parts = jnp.linalg.norm(g, axis=1) + jnp.linalg.norm(pull, axis=1)
        if (left > 1e-7 * parts).any():
            raise Refusal(f"the inner problem is not solved: ‖∇G‖ = {left.max():.3g}")

    def adjoint(self, phi, lam):
        """Return x with (H + Λ) x = ∇Q."""
        systems = zip(self.operator(phi, lam), self.query_grad(phi), strict=True)
        return jnp.stack([cholesky_solve(A, b) for A, b in systems])

    def adapted(self, theta, alpha, steps):
        """Return the query losses after some steps of descent."""
        phi = jnp.tile(theta, (self.count, 1))
        for _ in range(steps):
            phi = phi - alpha * self.support_grad(phi)[1]
        return value_and_grad(self.spec, self.kind, phi, *self.query)[0]


class Program:
    """What the suite asks."""

    def loss(self, case):
        """Return L, (T,)."""
        return self.each(case, lambda g, phi, v: g.support_grad(phi)[0])

    def grad(self, case):
        """Return ∇L, (T, P)."""
        return self.each(case, lambda g, phi, v: g.support_grad(phi)[1])

    def hvp(self, case):
        """Return H v, (T, P)."""
        return self.each(case, lambda g, phi, v: g.hvp(phi, v))

    def gnvp(self, case):
        """Return G v, (T, P)."""
        return self.each(case, lambda g, phi, v: g.gnvp(phi, v))

    def solve(self, A, b):
        """Return x."""
        return numpy.asarray(cholesky_solve(jnp.asarray(A), jnp.asarray(b)))

    def inner(self, case):
        """Return φ*, (T, P)."""
        theta, lam = self.centre(case)
        found = [g.minimise(theta, lam) for g in self.groups(case)]
        return numpy.concatenate(found)

    def meta_grad(self, case, phi=None):
        """Return the meta-gradient, (P,)."""
        xs, _ = self.adjoints(case, phi)
        return numpy.asarray(jnp.mean(self.centre(case)[1] * xs, axis=0))

    def lam_grad(self, case, phi=None):
        """Return dF/dλ."""
        xs, phi = self.adjoints(case, phi)
        entries = -jnp.mean(xs * (phi - self.centre(case)[0]), axis=0)
        return numpy.asarray(entries if numpy.ndim(case.lam) else entries.sum())

    def unrolled_grad(self, case):
        """Return the gradient through the inner steps, (P,)."""
        alpha, steps = case.unrolled["step_size"], case.unrolled["steps"]
        groups = self.groups(case)

        def outer(theta):
            losses = [g.adapted(theta, alpha, steps) for g in groups]
            return jnp.concatenate(losses).mean()

        return numpy.asarray(jax.grad(outer)(jnp.asarray(case.theta)))

    def outer_step(self, case, theta, state):
        """Return θ and the state after one step."""
        outer, g = case.outer, self.meta_grad(case.at(theta))
        alpha = outer["step_size"]
        if outer["optimizer"] == "sgd":
            return theta - alpha * g, None
        b1, b2 = outer["beta1"], outer["beta2"]
        count, mu, nu = state or (0, 0.0 * g, 0.0 * g)
        count += 1
        mu = b1 * mu + (1 - b1) * g
        nu = b2 * nu + (1 - b2) * g * g
        update = mu / (1 - b1**count)
        update = update / (numpy.sqrt(nu / (1 - b2**count)) + outer["eps"])
        return theta - alpha * update, (count, mu, nu)

    def adjoints(self, case, given):
        """Return x and φ, (T, P) both."""
        theta, lam = self.centre(case)
        phi = jnp.asarray(self.inner(case) if given is None else given)
        xs, at = [], 0
        for group in self.groups(case):
            here = phi[at : at + group.count]
            if given is not None:
                group.demand_solution(here, theta, lam)
            xs.append(group.adjoint(here, lam))
            at += group.count
        return jnp.concatenate(xs), phi

    def groups(self, case):
        """Return the groups of tasks."""
        return [Group(case, part) for part in getattr(case, "groups", None) or (case,)]

    def centre(self, case):
        """Return θ and λ, (P,) both."""
        theta = jnp.asarray(case.theta)
        return theta, jnp.broadcast_to(jnp.asarray(case.lam), theta.shape)

    def each(self, case, f):
        """Return f of every group at φ and v, together."""
        found, at = [], 0
        for group in self.groups(case):
            rows = slice(at, at + group.count)
            at += group.count
            found.append(
                f(group, jnp.asarray(case.phi[rows]), jnp.asarray(case.v[rows]))
            )
        return numpy.concatenate(found)
