"""The net of the released code in JAX, written for a CPU: patches and products.

XLA's convolutions are slow for small batches and slower still where every task has its
own kernel.  A convolution is therefore a product with the matrix of patches, which nine
strided slices make; those of the images, which nothing changes, once per task.  What
follows takes the mean out of each channel, so the bias of a convolution has no effect
and its gradient is zero: it is not computed with.
"""

import jax
import numpy as np
from jax import numpy as jnp

import imaml_ref as ir

from .problem import PER_TASK, Problem


def by_patches(block: int, x, kernel):
    """Return the convolution of the images, or of the patches of those of block 1."""
    X = x if block == 1 else patches(x)
    return product(X, kernel)


def logits(params, x, convolution=by_patches):
    """Return the outputs (N, ways) for prepared images.

    Args:
        params: By name.
        x: Patches of the images, (N, 14, 14, 9); or what ``convolution`` takes.
        convolution: (block, images, kernel) ↦ images.
    """
    for block in range(1, 5):
        x = normalised(convolution(block, x, params[f"conv{block}.kernel"]))
        x = x * params[f"norm{block}.gamma"] + params[f"norm{block}.beta"]
        x = jax.nn.relu(x)
        x = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))) if block == 2 else x
    x = x.reshape(len(x), -1)
    return x @ params["head.kernel"] + params["head.bias"]


def product(X, kernel):
    """Return X W as images, by a product of two matrices: XLA is best at these."""
    flat = X.reshape(-1, X.shape[-1]) @ kernel.reshape(X.shape[-1], -1)
    return flat.reshape(*X.shape[:-1], -1)


def patches(x):
    """Return the 3 × 3 patches at stride 2 of (N, H, W, C), (N, H/2, W/2, 9 C)."""
    height, width = (x.shape[1] + 1) // 2, (x.shape[2] + 1) // 2
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


def loss(params, X, y, convolution=by_patches):
    """Return the mean cross-entropy of a task."""
    chances = jax.nn.log_softmax(logits(params, X, convolution))
    return -jnp.take_along_axis(chances, y[:, None], 1).mean()


def data(problem: Problem):
    """Return θ by name and support and query sets, as arrays of NumPy."""
    jax.config.update("jax_enable_x64", problem.theta.dtype == np.float64)
    theta = layout(problem.ways).unpack(problem.theta)
    return theta, [getattr(problem, name) for name in PER_TASK]


def conjugate_gradients(product, b, steps):
    """Return x, a tree of arrays, after so many steps from 0 towards A x = b."""

    def step(_, state):
        x, r, p, rr = state
        Ap = product(p)
        alpha = rr / dot(p, Ap)
        x, r = plus(x, alpha, p), plus(r, -alpha, Ap)
        return x, r, plus(r, dot(r, r) / rr, p), dot(r, r)

    start = jax.tree.map(jnp.zeros_like, b), b, b, dot(b, b)
    return jax.lax.fori_loop(0, steps, step, start)[0]


def dot(a, b):
    """Return the inner product of two trees."""
    return sum(
        jnp.vdot(u, v) for u, v in zip(*map(jax.tree.leaves, (a, b)), strict=True)
    )


def plus(a, factor, b):
    """Return a + factor · b."""
    return jax.tree.map(lambda u, v: u + factor * v, a, b)


def ours(ways: int, named) -> np.ndarray:
    """Return arrays by name as arrays (..., P) in the layout of imaml_ref."""
    return layout(ways).pack({name: np.asarray(a) for name, a in named.items()})


def layout(ways: int):
    """Return where each parameter lies with imaml_ref."""
    return ir.architectures.omniglot_cnn(ways).layout
