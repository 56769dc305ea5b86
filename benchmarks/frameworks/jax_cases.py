"""Layers of flax, losses of optax, operations of JAX."""

from functools import cache

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import lax

from .cases import Case


def layer(name, module, *shape):
    """Return a flax module as a case: parameters, then an input (…, n)."""

    @cache
    def variables(shape):
        return module.init(jax.random.key(0), jnp.ones(shape))

    def shapes(n):
        leaves = jax.tree.leaves(variables((*shape, n)).get("params", {}))
        return [leaf.shape for leaf in leaves] + [(*shape, n)]

    def function(*tensors):
        *params, x = tensors
        known = variables(x.shape)
        tree = jax.tree.structure(known.get("params", {}))
        own = known | {"params": jax.tree.unflatten(tree, params)}
        others = [name for name in known if name != "params"]
        return module.apply(own, x, mutable=others)[0]

    return Case(f"flax {name}", shapes, function)


D = {"param_dtype": jnp.float64}
LAYERS = (
    layer("Dense", nn.Dense(3, **D), 2),
    layer("Conv", nn.Conv(2, (3,), **D), 1, 4),
    layer("ConvTranspose", nn.ConvTranspose(2, (3,), **D), 1, 3),
    layer("LayerNorm", nn.LayerNorm(**D), 4),
    layer("LayerNorm, slow variance", nn.LayerNorm(use_fast_variance=False, **D), 4),
    layer("BatchNorm, batch statistics", nn.BatchNorm(False, **D), 4),
    layer("BatchNorm, running statistics", nn.BatchNorm(True, **D), 4),
    layer("GroupNorm", nn.GroupNorm(1, **D), 2, 3),
    layer("InstanceNorm", nn.InstanceNorm(**D), 2, 4),
    layer("RMSNorm", nn.RMSNorm(**D), 4),
    layer("WeightNorm of Dense", nn.WeightNorm(nn.Dense(3, **D), **D), 2),
    layer("attention", nn.MultiHeadDotProductAttention(1, qkv_features=2, **D), 1, 3),
    layer("PReLU", nn.PReLU(**D), 3),
    layer("RNN of LSTM", nn.RNN(nn.OptimizedLSTMCell(2, **D)), 1, 3),
    layer("RNN of GRU", nn.RNN(nn.GRUCell(2, **D)), 1, 3),
)


def pair(n):
    return ((4, n), (4, n))


def logits(n):
    return ((4, n),)


def labels(n):
    return jnp.arange(4) % n


def loss(name, shapes, function, control=None, draw="normal"):
    return Case(name, shapes, lambda *t: function(*t).mean(), control, True, draw)


def ctc(z):
    ids, none = jnp.array([[1, 2]]), jnp.zeros((1, 4))
    return optax.ctc_loss(z[None], none, ids, jnp.zeros((1, 2)))


def by_hand(p):
    return (p * p).sum()


def penalty(name, function):
    return loss(f"{name} at p = 0", lambda n: ((n,),), function, by_hand, "zero")


LOSSES = (
    loss(
        "optax cross-entropy, integer labels",
        logits,
        lambda z: optax.softmax_cross_entropy_with_integer_labels(
            z, labels(z.shape[1])
        ),
    ),
    loss(
        "optax cross-entropy, learned targets",
        pair,
        lambda z, t: optax.softmax_cross_entropy(z, jax.nn.softmax(t)),
    ),
    loss(
        "optax sigmoid BCE, learned targets",
        pair,
        lambda z, t: optax.sigmoid_binary_cross_entropy(z, jax.nn.sigmoid(t)),
    ),
    loss(
        "optax KL, learned targets",
        pair,
        lambda z, t: optax.kl_divergence(jax.nn.log_softmax(z), jax.nn.softmax(t)),
    ),
    loss("optax huber", pair, optax.huber_loss),
    loss("optax cosine_distance", pair, optax.cosine_distance),
    loss(
        "optax focal", pair, lambda z, t: optax.sigmoid_focal_loss(z, jax.nn.sigmoid(t))
    ),
    loss("optax ctc", logits, ctc),
    penalty("jnp.linalg.norm(p)**2", lambda p: jnp.linalg.norm(p) ** 2),
    penalty("optax.global_norm(p)**2", lambda p: optax.global_norm(p) ** 2),
    penalty("(p**2).sum()", lambda p: (p**2).sum()),
    penalty("(jnp.abs(p)**2).sum()", lambda p: (jnp.abs(p) ** 2).sum()),
    penalty("(p**2.0).sum(), float power", lambda p: (p**2.0).sum()),
    penalty("optax.safe_norm(p, 0)**2", lambda p: optax.safe_norm(p, 0.0) ** 2),
)


def matrix(n):
    return ((3, n),)


def square(n):
    return ((n, n),)


def spd(a):
    return a.T @ a + jnp.eye(len(a))


def off(a):
    return a + 4 * jnp.eye(len(a))


def scanned(w):
    """Return a recurrence of three steps through ``scan``."""

    def step(h, _):
        h = jnp.tanh(w @ h)
        return h, h

    return lax.scan(step, jnp.ones(len(w)), None, length=3)[1]


def repeated(a):
    matrix = (a + a.T) / 2 + (a * a).sum() * jnp.eye(len(a))
    return jnp.linalg.eigvalsh(matrix).sum()[None]


def repeated_by_hand(a):
    return (jnp.trace(a) + len(a) * (a * a).sum())[None]


def pooled(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 2), "VALID")


ELEMENTWISE = (
    *("relu", "elu", "gelu", "silu", "softplus", "hard_silu", "squareplus"),
    *("softmax", "log_softmax", "standardize", "logsumexp", "sparse_plus"),
)
ALGEBRA = {
    "solve": (lambda n: ((n, n), (n, 2)), lambda a, b: jnp.linalg.solve(off(a), b)),
    "inv": (square, lambda a: jnp.linalg.inv(off(a))),
    "cholesky": (square, lambda a: jnp.linalg.cholesky(spd(a))),
    "det": (square, lambda a: jnp.linalg.det(off(a))[None] / 10),
    "slogdet": (square, lambda a: jnp.linalg.slogdet(spd(a))[1][None]),
    "eigvalsh": (square, lambda a: jnp.linalg.eigvalsh(spd(a))),
    "svd": (lambda n: ((n + 1, n),), lambda a: jnp.linalg.svd(a, compute_uv=False)),
    "pinv": (lambda n: ((n + 1, n),), jnp.linalg.pinv),
}
OPERATIONS = (
    *(Case(f"jax.nn.{name}", matrix, getattr(jax.nn, name)) for name in ELEMENTWISE),
    *(Case(f"jnp.linalg.{n}", shapes, f) for n, (shapes, f) in ALGEBRA.items()),
    Case("sum of eigvalsh, all equal", square, repeated, repeated_by_hand, draw="zero"),
    Case("expm", square, lambda a: jax.scipy.linalg.expm(a / 2)),
    Case(
        "dot_product_attention",
        lambda n: ((1, n, 1, 2),) * 3,
        jax.nn.dot_product_attention,
    ),
    Case("scan", square, scanned),
    Case("reduce_window, max", lambda n: ((3, 2 * n),), pooled),
    Case("prod", matrix, lambda x: x.prod(-1)),
    Case(
        "at[].mul",
        lambda n: ((4,),),
        lambda x: jnp.ones(2).at[jnp.array([0, 1, 0, 1])].mul(x),
    ),
    Case(
        "segment_prod",
        lambda n: ((4,),),
        lambda x: jax.ops.segment_prod(x, jnp.array([0, 1, 0, 1]), 2),
    ),
    Case("sort", matrix, lambda x: jnp.sort(x, -1) ** 2),
    Case("var", matrix, lambda x: x.var(-1)),
    Case("std", matrix, lambda x: x.std(-1)),
    Case("power", lambda n: ((3, n), (3, n)), jnp.power, draw="positive"),
    Case("logaddexp", lambda n: ((3, n), (3, n)), jnp.logaddexp),
    Case(
        "betainc in x",
        matrix,
        lambda x: jax.scipy.special.betainc(2.0, 3.0, x / 2),
        draw="positive",
    ),
)
