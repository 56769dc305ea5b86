"""The net of the released code in JAX, written for a CPU: patches and products.

XLA's convolutions are slow for small batches and slower still where every task has its
own kernel.  A convolution is therefore a product with the matrix of patches, which nine
strided slices make; those of the images, which nothing changes, are made once.
"""

import jax
import numpy as np
from jax import numpy as jnp

import imaml_ref as ir

from .problem import Problem


def logits(params, X):
    """Return the outputs (N, ways) for the patches of the images, (N, 14, 14, 9)."""
    for block in range(1, 5):
        X = X if block == 1 else patches(x)
        kernel = params[f"conv{block}.kernel"]
        x = X @ kernel.reshape(-1, kernel.shape[-1]) + params[f"conv{block}.bias"]
        x = normalised(x)
        x = x * params[f"norm{block}.gamma"] + params[f"norm{block}.beta"]
        x = jax.nn.relu(x)
        x = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))) if block == 2 else x
    x = x.reshape(len(x), -1)
    return x @ params["head.kernel"] + params["head.bias"]


def patches(x):
    """Return the 3 × 3 patches at stride 2 of (N, H, W, C), (N, H/2, W/2, 9 C)."""
    height, width = x.shape[1] // 2 + x.shape[1] % 2, x.shape[2] // 2 + x.shape[2] % 2
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return jnp.concatenate(
        [
            x[:, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2]
            for i in range(3)
            for j in range(3)
        ],
        -1,
    )


def normalised(x):
    """Return x without its mean, over its deviation, for each channel."""
    centred = x - x.mean((0, 1, 2))
    return centred * jax.lax.rsqrt((centred**2).mean((0, 1, 2)) + 1e-5)


def loss(params, X, y):
    """Return the mean cross-entropy of a task."""
    chances = jax.nn.log_softmax(logits(params, X))
    return -jnp.take_along_axis(chances, y[:, None], 1).mean()


def data(problem: Problem):
    """Return θ by name and, for each task, the patches of the images and the labels."""
    jax.config.update("jax_enable_x64", problem.theta.dtype == np.float64)
    named = layout(problem.ways).unpack(problem.theta)
    theta = {name: jnp.asarray(a) for name, a in named.items()}
    arrays = problem.support_x, problem.query_x
    support, query = (jax.jit(jax.vmap(patches))(x) for x in arrays)
    return theta, (support, problem.support_y, query, problem.query_y)


def conjugate_gradients(product, b, steps):
    """Return x, a tree of arrays, after so many steps from 0 towards A x = b."""
    x, r, p, rr = jax.tree.map(jnp.zeros_like, b), b, b, dot(b, b)
    for _ in range(steps):
        Ap = product(p)
        alpha = rr / dot(p, Ap)
        x, r = plus(x, alpha, p), plus(r, -alpha, Ap)
        before, rr = rr, dot(r, r)
        p = plus(r, rr / before, p)
    return x


def dot(a, b):
    """Return the inner product of two trees."""
    return sum(jnp.vdot(u, v) for u, v in zip(*map(jax.tree.leaves, (a, b)), strict=True))


def plus(a, factor, b):
    """Return a + factor · b."""
    return jax.tree.map(lambda u, v: u + factor * v, a, b)


def ours(ways: int, named) -> np.ndarray:
    """Return arrays by name as arrays (..., P) in the layout of imaml_ref."""
    return layout(ways).pack({name: np.asarray(a) for name, a in named.items()})


def layout(ways: int):
    """Return where each parameter lies with imaml_ref."""
    return ir.architectures.omniglot_cnn(ways).layout
