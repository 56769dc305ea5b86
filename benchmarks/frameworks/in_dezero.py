"""DeZero: its one route, and cases."""

import numpy as np

int = int  # DeZero's own imports want it; NumPy has it no more

import dezero.functions as F  # noqa: E402
from dezero import Variable  # noqa: E402

from .cases import Case, Framework  # noqa: E402


def leaf(p):
    """Return a copy of p that is differentiated."""
    return Variable(np.array(p.data))


def slope(f, p, keep=False):
    """Return ∇f at p as a variable, or None."""
    f(p).backward(create_graph=keep)
    found = p.grad
    p.cleargrad()
    return found


def grad_grad(f, p, v):
    """∇⟨∇f, v⟩, each by ``backward``."""
    p = leaf(p)
    F.sum(slope(f, p, keep=True) * v).backward()
    return p.grad


def jvp_by_two_vjps(z, p, v):
    """Jᵀ (2/n) J v, J v as the derivative of Jᵀ u in u."""
    p = leaf(p)
    found = z(p)
    u = Variable(np.zeros(found.shape))
    F.sum(found * u).backward(create_graph=True)
    back = p.grad
    u.cleargrad()
    F.sum(back * v).backward()
    weights = 2 / len(u.grad) * u.grad.data
    return slope(lambda q: F.sum(z(q) * weights), leaf(p))


def matrix(n):
    return ((3, n),)


def images(n):
    return ((1, 2, n + 1, 4),)


def row(p, x):
    """Return a parameter per feature, repeated as x is."""
    return F.broadcast_to(p, x.shape)


def mean(x):
    """Return the mean over the batch, (1, D)."""
    return F.sum(x, axis=0, keepdims=True) / len(x)


def standard(x, g, b):
    """Return the normalisation over the batch in elementary operations."""
    centred = x - row(mean(x), x)
    scale = (mean(centred * centred) + 2e-5) ** -0.5
    return centred * row(scale, x) * row(g, x) + row(b, x)


def batch_norm(x, g, b):
    seen = np.zeros(x.shape[1]), np.ones(x.shape[1])
    return F.batch_nrom(x, g, b, *seen)


def by_hand(p):
    return F.sum(p * p)


def labels(z):
    return np.arange(len(z)) % z.shape[1]


def loss(name, function, shapes=lambda n: ((4, n),), control=None, draw="normal"):
    return Case(name, shapes, function, control, is_loss=True, draw=draw)


def log_softmax(z):
    """Return log-softmax in elementary operations."""
    sums = F.sum(F.exp(z), axis=1, keepdims=True)
    return z - F.broadcast_to(F.log(sums), z.shape)


def cross_entropy(z):
    """Return cross-entropy in elementary operations."""
    return -F.sum(log_softmax(z) * np.eye(z.shape[1])[labels(z)]) / len(z)


def penalty(name, function):
    return loss(f"{name} at p = 0", function, lambda n: ((n,),), by_hand, "zero")


ELEMENTWISE = {
    "sin": F.sin,
    "tanh": F.tanh,
    "exp": F.exp,
    "sigmoid": F.sigmoid,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "softmax": F.softmax,
    "log_softmax": F.log_softmax,
    "max": lambda x: F.max(x, axis=1) ** 2,
    "clip": lambda x: F.clip(x, -0.7, 0.9) ** 2,
}
CASES = (
    *(Case(name, matrix, function) for name, function in ELEMENTWISE.items()),
    Case("linear", lambda n: ((2, n), (n, 3), (3,)), F.linear),
    Case("linear_simple", lambda n: ((2, n), (n, 3), (3,)), F.linear_simple),
    Case("matmul", lambda n: ((2, n), (n, 3)), F.matmul),
    Case("batch_nrom", lambda n: ((4, n), (n,), (n,)), batch_norm, standard),
    Case("conv2d", lambda n: ((1, 2, n, 3), (2, 2, 2, 2), (2,)), F.conv2d),
    Case(
        "conv2d_simple", lambda n: ((1, 2, n, 3), (2, 2, 2, 2), (2,)), F.conv2d_simple
    ),
    Case("deconv2d", lambda n: ((1, 2, n, 2), (2, 1, 2, 2), (1,)), F.deconv2d),
    Case("pooling", images, lambda x: F.pooling(x, 2, 2)),
    Case("average_pooling", images, lambda x: F.average_pooling(x, 2, 2)),
    Case(
        "get_item",
        lambda n: ((n, 3),),
        lambda w: F.get_item(w, np.array([0, 2, 1, 2])) ** 2,
    ),
    loss(
        "softmax_cross_entropy",
        lambda z: F.softmax_cross_entropy(z, labels(z)),
        control=cross_entropy,
    ),
    loss(
        "softmax_cross_entropy_simple",
        lambda z: F.softmax_cross_entropy_simple(z, labels(z)),
        control=cross_entropy,
    ),
    loss(
        "sigmoid_cross_entropy",
        lambda z: F.sigmoid_cross_entropy(z, np.arange(len(z)) % 2),
        lambda n: ((n,),),
    ),
    loss("mean_squared_error", F.mean_squared_error, lambda n: ((4, n),) * 2),
    loss(
        "mean_squared_error_simple",
        F.mean_squared_error_simple,
        lambda n: ((4, n),) * 2,
    ),
    penalty("F.sum(p**2)", lambda p: F.sum(p**2)),
    penalty("F.sum(p**2)**0.5**2", lambda p: (F.sum(p**2) ** 0.5) ** 2),
)


class DeZero(Framework):
    packages = ("dezero",)
    cases = CASES
    routes = {"backward(backward)": grad_grad}  # noqa: RUF012
    gn_routes = {"G: two vjps, vjp": jvp_by_two_vjps}  # noqa: RUF012

    def array(self, values):
        return Variable(np.array(values, dtype=float))

    def numpy(self, tensor):
        return tensor.data

    def mean_square(self, tensor):
        return F.sum(tensor * tensor) / len(tensor)

    def gradient(self, f, p):
        return slope(f, leaf(p))


FRAMEWORK = DeZero()
