"""jax-meta: its iMAML at L4 and L5, its inner loop, and its MAML unrolled.

At L4 ``adapt`` returns the φ that is given.  Its losses are cross-entropies.
JAX 0.10 has no ``tree_multimap`` any more: all but one variant put ``tree.map`` there.
"""

from collections import namedtuple
from functools import partial

import jax
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree
from jax_meta.metalearners.imaml import iMAML
from jax_meta.metalearners.maml import MAML

from imaml_ref.conformance.from_jax import from_jax

from .subjects import Only, Variant

PACKAGES = ("jax-meta", "jax", "jaxlib")
Examples = namedtuple("Examples", "inputs targets")
INNER_STEPS = 3000
CG = jax.scipy.sparse.linalg.cg


class Model:
    """A network as jax-meta expects it: with a state, here none."""

    def __init__(self, task):
        self.network = task.model

    def apply(self, params, state, inputs):
        return self.network(params, inputs), state


def demand_cross_entropy(task):
    """Refuse a task of regression: its loss is the cross-entropy."""
    if task.support[1].ndim > 1:
        raise NotImplementedError("its loss is the cross-entropy")


def learner(task, **settings):
    """Return its iMAML for a task, with the φ that is given."""
    demand_cross_entropy(task)
    if isinstance(task.lam, dict):
        raise NotImplementedError("its λ is a number")
    found = iMAML(Model(task), lambda_=task.lam, **settings)
    if task.phi is not None:
        found.adapt = lambda *args: (task.phi, {})
    return found


def step_size(task):
    """Return 0.2: H + λI of these cases is well below 2 / 0.2."""
    return min(0.2, 1 / (task.lam + 4))


def gradient_by(settings, cg_of):
    """Return a function of a task: ``grad_outer_loss`` of a batch of it alone.

    Args:
        settings: (task) → the arguments of ``iMAML``.
        cg_of: (task) → what stands for ``jax.scipy.sparse.linalg.cg``.
    """

    def meta_grad(task):
        def batch(pair):
            return Examples(*(a[None] for a in pair))

        imaml = learner(task, **settings(task))
        jax.scipy.sparse.linalg.cg = cg_of(task)
        try:
            sets = batch(task.support), batch(task.query)
            return jax.jit(
                lambda theta: imaml.grad_outer_loss(theta, None, *sets, ())[0]
            )(task.theta)
        finally:
            jax.scipy.sparse.linalg.cg = CG

    return meta_grad


def inner_by(settings):
    """Return a function of a task: φ by ``adapt``."""

    def inner(task):
        imaml = learner(task, **settings(task))
        return imaml.adapt(task.theta, None, *task.support, ())[0]

    return inner


def unrolled_grad(task, steps, step_size):
    """Return the gradient of its ``outer_loss`` through MAML's ``adapt``."""
    demand_cross_entropy(task)
    maml = MAML(Model(task), num_steps=steps, alpha=step_size)
    sets = Examples(*task.support), Examples(*task.query)
    return jax.jit(jax.grad(lambda p: maml.outer_loss(p, None, *sets, ())[0]))(
        task.theta
    )


def exact(task):
    """Return ``cg`` with a tolerance of 1e-15 in place of its default, 1e-5."""
    return partial(CG, tol=1e-15)


def damped_by_us(task):
    """Return a dense solve of (2I + H/(λ + 10)) x = b, from I + H/λ: a control."""
    scale = task.lam / (task.lam + 10)

    def solve(operator, b, maxiter=None):
        flat, unravel = ravel_pytree(b)

        def apply(x):
            return 2 * x + scale * (ravel_pytree(operator(unravel(x)))[0] - x)

        A = jax.vmap(apply)(jnp.eye(len(flat), dtype=flat.dtype))
        return unravel(jnp.linalg.solve(A, flat)), None

    return solve


def undamped(task):
    """Return the arguments of an exact inner loop and of I + H/λ."""
    loop = {"num_steps": INNER_STEPS, "alpha": step_size(task)}
    return loop | {"regu_coef": 0.0, "cg_damping": 0.0, "cg_steps": 10_000}


def at_given(left_out=()):
    """Return the same where φ is given, some arguments left at their defaults."""

    def settings(task):
        if task.phi is None:
            raise NotImplementedError("asked where φ is given")
        return {k: a for k, a in undamped(task).items() if k not in left_out}

    return settings


def as_it_is(task):
    """Return ``cg``."""
    return CG


def variant(
    name, text, settings, cg_of=as_it_is, shim=True, methods=("meta_grad", "inner")
):
    """Return a variant."""

    def make():
        if shim:
            jax.tree_util.tree_multimap = jax.tree.map
        adapter = from_jax(
            meta_grad=gradient_by(settings, cg_of),
            inner=inner_by(settings),
            unrolled_grad=unrolled_grad,
        )
        return Only(adapter, methods, name)

    return Variant(text, make)


VARIANTS = {
    "untouched": variant(
        "jax-meta iMAML, without tree_multimap",
        "iMAML(lambda_=λ), nothing put in the place of jax.tree_util.tree_multimap",
        lambda task: {},
        shim=False,
        methods=("meta_grad",),
    ),
    "tight": variant(
        "jax-meta iMAML",
        f"iMAML(num_steps={INNER_STEPS}, alpha=min(0.2, 1/(λ + 4)), lambda_=λ, "
        "regu_coef=0, cg_damping=0, cg_steps=10000); MAML unrolled",
        undamped,
        methods=("meta_grad", "inner", "unrolled_grad"),
    ),
    "control": variant(
        "jax-meta iMAML, cg(tol=1e-15)",
        "as tight, jax.scipy.sparse.linalg.cg called with tol=1e-15 and not its 1e-5",
        undamped,
        exact,
        methods=("meta_grad",),
    ),
    "shipped": variant(
        "jax-meta iMAML, as shipped",
        "iMAML(lambda_=λ): num_steps=5, alpha=0.1, regu_coef=1, cg_damping=10, "
        "cg_steps=5",
        lambda task: {},
    ),
    "damped": variant(
        "jax-meta iMAML, its operator",
        "as control, regu_coef=1 and cg_damping=10, its defaults; L4",
        at_given(("regu_coef", "cg_damping")),
        exact,
        methods=("meta_grad",),
    ),
    "damped-control": variant(
        "jax-meta iMAML, (2I + H/(λ + 10))⁻¹ v, control",
        "as control, its cg replaced by a dense solve of ours with 2I + H/(λ + 10); L4",
        at_given(),
        damped_by_us,
        methods=("meta_grad",),
    ),
}
