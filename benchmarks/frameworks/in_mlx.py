"""MLX on the CPU, in float64: routes and cases."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from .cases import Case, Framework

mx.set_default_device(mx.cpu)


def grad_grad(f, p, v):
    """∇⟨∇f, v⟩, each by a sweep backwards."""
    return mx.grad(lambda q: (mx.grad(f)(q) * v).sum())(p)


def jvp_grad(f, p, v):
    """The tangent of the gradient."""
    return mx.jvp(mx.grad(f), (p,), (v,))[1][0]


def grad_jvp(f, p, v):
    """The gradient of the tangent."""
    return mx.grad(lambda q: mx.jvp(f, (q,), (v,))[1][0])(p)


def jvp_vjp(z, p, v):
    """Jᵀ (2/n) J v, J v forwards."""
    z_dot = mx.jvp(z, (p,), (v,))[1][0]
    return mx.vjp(z, (p,), (z_dot * (2 / z_dot.size),))[1][0]


def jvp_by_two_vjps(z, p, v):
    """Jᵀ (2/n) J v, J v as the derivative of Jᵀ u in u."""

    def back(u):
        return mx.vjp(z, (p,), (u,))[1][0]

    z_dot = mx.vjp(back, (mx.zeros_like(z(p)),), (v,))[1][0]
    return back(z_dot * (2 / z_dot.size))


def matrix(n):
    return ((3, n),)


def three(n):
    return (2, n), (n, 3), (2, 3)


def standard(x, eps=1e-5):
    centred = x - x.mean(-1, keepdims=True)
    return centred / mx.sqrt((centred * centred).mean(-1, keepdims=True) + eps)


def addmm(c, alpha=1.0, beta=1.0):
    return lambda a, b, x: mx.addmm(x, a, b, alpha, beta) ** c


def addmm_by_hand(alpha, beta):
    return lambda a, b, x: (alpha * (a @ b) + beta * x) ** 2


def attention(q, k, v):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** -0.5)


def attention_by_hand(q, k, v):
    scores = mx.exp(q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5)
    return scores / scores.sum(-1, keepdims=True) @ v


def by_hand(p):
    return (p * p).sum()


def penalty(name, function):
    return Case(f"{name} at p = 0", lambda n: ((n,),), function, by_hand, True, "zero")


def loss(name, function):
    return Case(name, lambda n: ((4, n),) * 2, function, is_loss=True)


losses = nn.losses
ELEMENTWISE = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "gelu_approx"),
    *("silu", "mish", "softplus", "softsign", "sigmoid", "log_sigmoid", "softmax"),
    *("log_softmax", "hardswish", "hard_tanh", "tanh"),
)
CASES = (
    *(Case(f"nn.{name}", matrix, getattr(nn, name)) for name in ELEMENTWISE),
    Case(
        "fast.layer_norm",
        lambda n: ((4, n), (n,), (n,)),
        lambda x, g, b: mx.fast.layer_norm(x, g, b, 1e-5),
        lambda x, g, b: standard(x) * g + b,
    ),
    Case(
        "fast.rms_norm",
        lambda n: ((4, n), (n,)),
        lambda x, g: mx.fast.rms_norm(x, g, 1e-5),
        lambda x, g: x / mx.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * g,
    ),
    Case(
        "fast.scaled_dot_product_attention",
        lambda n: ((1, 1, n, 2),) * 3,
        attention,
        attention_by_hand,
    ),
    Case(
        "fast.rope",
        lambda n: ((1, 1, n, 2),),
        lambda x: mx.fast.rope(x, 2, traditional=False, base=10.0, scale=1.0, offset=1)
        ** 2,
    ),
    Case("addmm", three, addmm(2), addmm_by_hand(1.0, 1.0)),
    Case("addmm, alpha 0.7", three, addmm(2, alpha=0.7), addmm_by_hand(0.7, 1.0)),
    Case("addmm, beta 0.7", three, addmm(2, beta=0.7), addmm_by_hand(1.0, 0.7)),
    Case("matmul", lambda n: ((2, n), (n, 3)), lambda a, b: a @ b),
    Case("conv1d", lambda n: ((1, n, 2), (2, 3, 2)), lambda x, w: mx.conv1d(x, w)),
    Case(
        "conv2d",
        lambda n: ((1, n, 3, 2), (2, 2, 2, 2)),
        lambda x, w: mx.conv2d(x, w, padding=1),
    ),
    Case(
        "conv_transpose2d", lambda n: ((1, n, 2, 2), (2, 2, 2, 2)), mx.conv_transpose2d
    ),
    Case("var", matrix, lambda x: mx.var(x, -1)),
    Case("std", matrix, lambda x: mx.std(x, -1)),
    Case("logsumexp", matrix, lambda x: mx.logsumexp(x, -1)),
    Case("logaddexp", lambda n: ((3, n), (3, n)), mx.logaddexp),
    Case("prod", matrix, lambda x: mx.prod(x, -1)),
    Case("cumprod", matrix, lambda x: mx.cumprod(x, -1)),
    Case("cumsum", matrix, lambda x: mx.cumsum(x, -1) ** 2),
    Case("max", matrix, lambda x: mx.max(x, -1) ** 2),
    Case("sort", matrix, lambda x: mx.sort(x, -1) ** 2),
    Case("linalg.norm", matrix, lambda x: mx.linalg.norm(x, axis=-1)),
    Case("power", lambda n: ((3, n), (3, n)), mx.power, draw="positive"),
    Case("arctan2", lambda n: ((3, n), (3, n)), mx.arctan2),
    Case("erf", matrix, mx.erf),
    Case(
        "take",
        lambda n: ((n, 3),),
        lambda w: mx.take(w, mx.array([0, 2, 1, 2]), 0) ** 2,
    ),
    loss(
        "cross_entropy, learned targets",
        lambda z, t: losses.cross_entropy(z, mx.softmax(t, -1), reduction="mean"),
    ),
    loss(
        "binary_cross_entropy, learned targets",
        lambda z, t: losses.binary_cross_entropy(z, mx.sigmoid(t)),
    ),
    loss(
        "kl_div_loss, learned targets",
        lambda z, t: losses.kl_div_loss(
            nn.log_softmax(z), nn.log_softmax(t), reduction="mean"
        ),
    ),
    loss("huber_loss", lambda z, t: losses.huber_loss(z, t, reduction="mean")),
    loss("smooth_l1_loss", lambda z, t: losses.smooth_l1_loss(z, t)),
    loss("log_cosh_loss", lambda z, t: losses.log_cosh_loss(z, t, reduction="mean")),
    loss(
        "gaussian_nll_loss",
        lambda z, t: losses.gaussian_nll_loss(z, mx.sin(z), mx.exp(t)),
    ),
    loss(
        "cosine_similarity_loss",
        lambda z, t: losses.cosine_similarity_loss(z, t, reduction="mean"),
    ),
    penalty("mx.linalg.norm(p)**2", lambda p: mx.linalg.norm(p) ** 2),
    penalty("(p**2).sum()", lambda p: (p**2).sum()),
    penalty("mx.square(p).sum()", lambda p: mx.square(p).sum()),
    penalty("(mx.abs(p)**2).sum()", lambda p: (mx.abs(p) ** 2).sum()),
)


class Mlx(Framework):
    packages = ("mlx",)
    # Its exp, sin, erf and convolution in float64 are good to seven digits.
    needed, steps = 4.0, (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)
    cases = CASES
    routes = {  # noqa: RUF012
        "grad(grad)": grad_grad,
        "jvp(grad)": jvp_grad,
        "grad(jvp)": grad_jvp,
    }
    gn_routes = {  # noqa: RUF012
        "G: jvp, vjp": jvp_vjp,
        "G: two vjps, vjp": jvp_by_two_vjps,
    }

    def array(self, values):
        return mx.array(np.asarray(values), dtype=mx.float64)

    def numpy(self, tensor):
        return np.array(tensor)

    def gradient(self, f, p):
        return mx.grad(f)(p)


FRAMEWORK = Mlx()
