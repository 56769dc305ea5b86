"""HIPS autograd: routes and cases."""

import autograd.numpy as np
import autograd.scipy.linalg as scipy_linalg
import autograd.scipy.special as special
from autograd import (
    grad,
    hessian,
    hessian_vector_product,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
)

from .cases import Case, Framework


def grad_grad(f, p, v):
    """∇⟨∇f, v⟩, each by a sweep backwards."""
    return grad(lambda q: np.dot(grad(f)(q), v))(p)


def jvp_grad(f, p, v):
    """The tangent of the gradient."""
    return make_jvp(grad(f))(p)(v)[1]


def grad_jvp(f, p, v):
    """The gradient of the tangent."""
    return grad(lambda q: make_jvp(f)(q)(v)[1])(p)


def jvp_vjp(z, p, v):
    """Jᵀ (2/n) J v, J v forwards."""
    found, z_dot = make_jvp(z)(p)(v)
    return make_vjp(z)(p)[0](2 / len(found) * z_dot)


def ggnvp(z, p, v):
    """Jᵀ (2/n) J v by the library's own function."""
    return make_ggnvp(z, lambda u: np.sum(u**2) / len(u))(p)(v)


def matrix(n):
    return ((3, n),)


def square(n):
    return ((n, n),)


def spd(a):
    return np.dot(a.T, a) + np.eye(len(a))


def off(a):
    return a + 4 * np.eye(len(a))


def standard(x, gamma, beta):
    """Return a normalisation over the batch, as users write it."""
    return (x - np.mean(x, 0)) / np.sqrt(np.var(x, 0) + 1e-5) * gamma + beta


def log_softmax(z):
    return z - special.logsumexp(z, axis=1, keepdims=True)


def cross_entropy(z, t):
    return -np.mean(np.sum(np.exp(log_softmax(t)) * log_softmax(z), 1))


def by_hand(p):
    return np.sum(p * p)


def penalty(name, function):
    """Return a penalty at p = 0, with Σ pᵢ² as control."""
    return Case(f"{name} at p = 0", lambda n: ((n,),), function, by_hand, True, "zero")


def repeated(a):
    """Return the sum of eigenvalues that are equal at A = 0."""
    matrix = (a + a.T) / 2 + np.sum(a * a) * np.eye(len(a))
    return np.reshape(np.sum(np.linalg.eigh(matrix)[0]), (1,))


def repeated_by_hand(a):
    return np.reshape(np.trace(a) + len(a) * np.sum(a * a), (1,))


def one(value):
    return np.reshape(value, (1,))


ELEMENTWISE = {
    "tanh": np.tanh,
    "relu, maximum": lambda x: np.maximum(x, 0),
    "sigmoid, expit": special.expit,
    "softplus, logaddexp": lambda x: np.logaddexp(x, 0.0),
    "gelu, erf": lambda x: x * (1 + special.erf(x / np.sqrt(2.0))) / 2,
    "where": lambda x: np.where(x > 0, x**2, np.sin(x)),
    "abs": lambda x: np.abs(x) ** 3,
    "sinc": np.sinc,
    "log_softmax": log_softmax,
    "var": lambda x: np.var(x, -1),
    "std": lambda x: np.std(x, -1),
    "prod": lambda x: np.prod(x, -1),
    "cumsum": lambda x: np.cumsum(x, -1) ** 2,
    "max": lambda x: np.max(x, -1) ** 2,
    "sort": lambda x: np.sort(x, -1) ** 2,
    "norm": lambda x: np.linalg.norm(x, axis=-1),
    "fft": lambda x: np.abs(np.fft.fft(x)) ** 2,
}
POSITIVE = {
    "power": lambda a, b: np.power(a, b),
    "arctan2": np.arctan2,
    "hypot by logaddexp": np.logaddexp,
    "jv": lambda a, b: special.jn(2, a) * b,
    "gammaln": lambda a, b: special.gammaln(a) * b,
    "beta": special.beta,
}
ALGEBRA = {
    "linalg.solve": (
        lambda n: ((n, n), (n, 2)),
        lambda a, b: np.linalg.solve(off(a), b),
    ),
    "linalg.inv": (square, lambda a: np.linalg.inv(off(a))),
    "linalg.cholesky": (square, lambda a: np.linalg.cholesky(spd(a))),
    "linalg.det": (square, lambda a: one(np.linalg.det(off(a)) / 10)),
    "linalg.slogdet": (square, lambda a: one(np.linalg.slogdet(spd(a))[1])),
    "linalg.eigh": (square, lambda a: np.linalg.eigh(spd(a))[0]),
    "linalg.svd": (
        lambda n: ((n + 1, n),),
        lambda a: np.linalg.svd(a, full_matrices=False, compute_uv=False),
    ),
    "linalg.pinv": (square, lambda a: np.linalg.pinv(off(a))),
    "solve_triangular": (
        lambda n: ((n, n), (n, 2)),
        lambda a, b: scipy_linalg.solve_triangular(off(a), b),
    ),
    "sqrtm": (square, lambda a: scipy_linalg.sqrtm(spd(a))),
    "einsum": (
        lambda n: ((2, n), (n, 3)),
        lambda a, b: np.einsum("ij,jk->ik", a, b),
    ),
}
CASES = (
    Case("normalisation of the batch", lambda n: ((4, n), (n,), (n,)), standard),
    *(Case(name, matrix, function) for name, function in ELEMENTWISE.items()),
    *(
        Case(name, lambda n: ((3, n), (3, n)), function, draw="positive")
        for name, function in POSITIVE.items()
    ),
    *(Case(name, shapes, function) for name, (shapes, function) in ALGEBRA.items()),
    Case("sum of eigh, all equal", square, repeated, repeated_by_hand, draw="zero"),
    Case(
        "cross-entropy, learned targets",
        lambda n: ((4, n),) * 2,
        cross_entropy,
        is_loss=True,
    ),
    penalty("np.linalg.norm(p)**2", lambda p: np.linalg.norm(p) ** 2),
    penalty("np.sum(p**2)", lambda p: np.sum(p**2)),
    penalty("np.sum(np.abs(p)**2)", lambda p: np.sum(np.abs(p) ** 2)),
    penalty("np.sum(p**2.0)", lambda p: np.sum(p**2.0)),
)


class Autograd(Framework):
    packages = ("autograd", "numpy", "scipy")
    cases = CASES
    routes = {  # noqa: RUF012
        "grad(grad)": grad_grad,
        "jvp(grad)": jvp_grad,
        "grad(jvp)": grad_jvp,
        "hessian": lambda f, p, v: hessian(f)(p) @ v,
        "hessian_vector_product": lambda f, p, v: hessian_vector_product(f)(p, v),
        "make_hvp": lambda f, p, v: make_hvp(f)(p)[0](v),
    }
    gn_routes = {"G: jvp, vjp": jvp_vjp, "G: make_ggnvp": ggnvp}  # noqa: RUF012

    def array(self, values):
        return np.array(values)

    def reshape(self, tensor, shape):
        return np.reshape(tensor, shape)

    def mean_square(self, tensor):
        return np.mean(tensor**2)

    def gradient(self, f, p):
        return grad(f)(p)


FRAMEWORK = Autograd()
