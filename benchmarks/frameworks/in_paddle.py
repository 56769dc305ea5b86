"""Paddle: routes and cases."""

import paddle
import paddle.nn.functional as F

from .cases import Case, Framework

paddle.set_default_dtype("float64")


def leaf(p):
    """Return a copy of p that is differentiated."""
    p = p.detach().clone()
    p.stop_gradient = False
    return p


def slope(f, p, keep=False):
    """Return ∇f at p, recorded if it is kept."""
    return paddle.grad(f(p), p, create_graph=keep, allow_unused=True)[0]


def grad_grad(f, p, v):
    """∇⟨∇f, v⟩, each by a sweep backwards."""
    p = leaf(p)
    return paddle.grad((slope(f, p, keep=True) * v).sum(), p, allow_unused=True)[0]


def hessian(f, p, v):
    """``paddle.autograd.hessian`` times v."""
    p = leaf(p)
    return paddle.autograd.hessian(f(p), p)[:] @ v


def jacobian_transposed(z, p, v):
    """Jᵀ (2/n) J v with ``paddle.autograd.jacobian``."""
    p = leaf(p)
    jac = paddle.autograd.jacobian(z(p), p)[:]
    return jac.T @ (2 / jac.shape[0] * (jac @ v))


def jvp_by_two_vjps(z, p, v):
    """Jᵀ (2/n) J v, J v as the derivative of Jᵀ u in u."""
    p = leaf(p)
    found = z(p)
    u = paddle.zeros_like(found)
    u.stop_gradient = False
    back = paddle.grad(found, p, u, create_graph=True)[0]
    z_dot = paddle.grad((back * v).sum(), u)[0]
    return paddle.grad(z(p), p, 2 / z_dot.shape[0] * z_dot)[0]


def matrix(n):
    return ((3, n),)


def square(n):
    return ((n, n),)


def images(n):
    return ((2, 2, n, 2), (2,), (2,))


def standard(x, axes):
    centred = x - x.mean(axes, keepdim=True)
    return centred / paddle.sqrt((centred * centred).mean(axes, keepdim=True) + 1e-5)


def channels(p):
    return p.reshape((1, -1, 1, 1))


def affine(axes):
    return lambda x, g, b: standard(x, axes) * channels(g) + channels(b)


def batch_norm(x, g, b):
    zero, one = paddle.zeros([2]), paddle.ones([2])
    return F.batch_norm(x, zero, one, g, b, training=True)


def spd(a):
    return a.T @ a + paddle.eye(a.shape[0])


def off(a):
    return a + 4 * paddle.eye(a.shape[0])


def by_hand(p):
    return (p * p).sum()


def penalty(name, function):
    return Case(f"{name} at p = 0", lambda n: ((n,),), function, by_hand, True, "zero")


def loss(name, function, shapes=lambda n: ((4, n),) * 2, control=None):
    return Case(name, shapes, function, control, is_loss=True)


def cross_entropy(z, t):
    """Return it in elementary operations, its targets the softmax of t."""
    logs = z - z.exp().sum(-1, keepdim=True).log()
    weights = t.exp() / t.exp().sum(-1, keepdim=True)
    return -(weights * logs).sum(-1).mean()


def labels(z):
    return paddle.arange(4) % z.shape[1]


ELEMENTWISE = (
    *("relu", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "softplus"),
    *("softsign", "tanhshrink", "hardswish", "hardsigmoid", "hardtanh", "log_sigmoid"),
    *("softmax", "log_softmax", "tanh", "sigmoid", "swish"),
)
REDUCTIONS = {
    "logsumexp": lambda x: paddle.logsumexp(x, -1),
    "prod": lambda x: x.prod(-1),
    "cumprod": lambda x: paddle.cumprod(x, 1),
    "cumsum": lambda x: paddle.cumsum(x, 1) ** 2,
    "var": lambda x: x.var(-1),
    "std": lambda x: x.std(-1),
    "max": lambda x: x.max(-1) ** 2,
    "sort": lambda x: x.sort(-1) ** 2,
    "normalize": lambda x: F.normalize(x, axis=-1),
    "norm": lambda x: paddle.linalg.norm(x, axis=-1),
}
ALGEBRA = {
    "linalg.solve": (
        lambda n: ((n, n), (n, 2)),
        lambda a, b: paddle.linalg.solve(off(a), b),
    ),
    "linalg.inv": (square, lambda a: paddle.linalg.inv(off(a))),
    "linalg.cholesky": (square, lambda a: paddle.linalg.cholesky(spd(a))),
    "linalg.det": (square, lambda a: paddle.linalg.det(off(a)).reshape((1,)) / 10),
    "linalg.slogdet": (
        square,
        lambda a: paddle.linalg.slogdet(spd(a))[1].reshape((1,)),
    ),
    "linalg.eigvalsh": (square, lambda a: paddle.linalg.eigvalsh(spd(a))),
    "matmul": (lambda n: ((2, n), (n, 3)), paddle.matmul),
}
CASES = (
    Case(
        "LayerNorm",
        lambda n: ((4, n), (n,), (n,)),
        lambda x, g, b: F.layer_norm(x, x.shape[-1:], g, b),
        lambda x, g, b: standard(x, -1) * g + b,
    ),
    Case("BatchNorm, batch statistics", images, batch_norm, affine((0, 2, 3))),
    Case(
        "InstanceNorm",
        images,
        lambda x, g, b: F.instance_norm(x, weight=g, bias=b),
        affine((2, 3)),
    ),
    Case(
        "GroupNorm",
        images,
        lambda x, g, b: F.group_norm(x, 1, 1e-5, g, b),
        affine((1, 2, 3)),
    ),
    Case("Linear", lambda n: ((2, n), (n, 3), (3,)), F.linear),
    Case("Conv2d", lambda n: ((1, 2, n, 3), (2, 2, 2, 2), (2,)), F.conv2d),
    Case(
        "Conv2dTranspose",
        lambda n: ((1, 2, n, 2), (2, 1, 2, 2), (1,)),
        F.conv2d_transpose,
    ),
    Case("MaxPool2d", lambda n: ((1, 2, n + 1, 4),), lambda x: F.max_pool2d(x, 2)),
    Case("AvgPool2d", lambda n: ((1, 2, n + 1, 4),), lambda x: F.avg_pool2d(x, 2)),
    Case(
        "Embedding",
        lambda n: ((n, 3),),
        lambda w: F.embedding(paddle.to_tensor([0, 2, 1, 2]), w) ** 2,
    ),
    *(Case(name, matrix, getattr(F, name)) for name in ELEMENTWISE),
    *(Case(name, matrix, function) for name, function in REDUCTIONS.items()),
    *(Case(name, shapes, f) for name, (shapes, f) in ALGEBRA.items()),
    loss("cross_entropy", lambda z: F.cross_entropy(z, labels(z)), lambda n: ((4, n),)),
    loss(
        "cross_entropy, learned targets",
        lambda z, t: F.cross_entropy(z, F.softmax(t), soft_label=True),
        control=cross_entropy,
    ),
    loss(
        "BCE with logits, learned targets",
        lambda z, t: F.binary_cross_entropy_with_logits(z, F.sigmoid(t)),
        control=lambda z, t: ((1 + z.exp()).log() - F.sigmoid(t) * z).mean(),
    ),
    loss(
        "kl_div, learned targets",
        lambda z, t: F.kl_div(z, paddle.exp(t)),
        control=lambda z, t: (paddle.exp(t) * (t - z)).mean(),
    ),
    loss("mse_loss", F.mse_loss),
    loss("smooth_l1_loss", F.smooth_l1_loss),
    loss("square_error_cost", lambda z, t: F.square_error_cost(z, t).mean()),
    penalty("p.norm()**2", lambda p: p.norm() ** 2),
    penalty("(p**2).sum()", lambda p: (p**2).sum()),
    penalty("p.abs().square().sum()", lambda p: p.abs().square().sum()),
    penalty("p.square().sum()", lambda p: p.square().sum()),
)


class Paddle(Framework):
    packages = ("paddlepaddle",)
    cases = CASES
    routes = {"grad(grad)": grad_grad, "autograd.hessian": hessian}  # noqa: RUF012
    gn_routes = {  # noqa: RUF012
        "G: two vjps, vjp": jvp_by_two_vjps,
        "G: autograd.jacobian": jacobian_transposed,
    }

    def array(self, values):
        return paddle.to_tensor(values, dtype="float64")

    def numpy(self, tensor):
        return tensor.detach().numpy()

    def gradient(self, f, p):
        return slope(f, leaf(p))


FRAMEWORK = Paddle()
