"""Every kernel in plain NumPy: the oracle of the kernels, and a launcher of its own.

The letters are those of ``fused.conv_block``, ``losses``, ``ops``, ``layers.pooling``,
docs/mathematics.md and ``solvers.recurrence``; a number in brackets is that of an
equation there.  A formula takes its arguments by name, as the kernel does.  Activations
are (T, R, C); a parameter is a view of a flat (T, P) array, of which a kernel knows the
address of task 0 and P, the distance from task to task.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np

from imaml_ref.kernels.table import KERNELS
from tests.machines import kernel_formulas_images as images
from tests.machines import kernel_formulas_vectors as vectors
from tests.machines.kernel_formulas_conv import convolutions
from tests.machines.kernel_views import entries, shaped


class FormulaLauncher:
    """Launches formulas on NumPy arrays, by the names and arguments of the kernels.

    Args:
        dtype: REAL: float32 or float64.
    """

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)

    def zeros(self, shape, dtype=None):
        return np.zeros(shape, dtype or self.dtype)

    def __call__(self, name, **arguments):
        self.bind(name, **arguments)()

    def bind(self, name, **arguments):
        KERNELS[name].values(arguments, np.ndarray, self.dtype)
        return partial(compute, FORMULAS[name], SimpleNamespace(**arguments))


def compute(formula, arguments):
    # A kernel says nothing of overflow either.
    with np.errstate(all="ignore"):
        formula(arguments)


# Products.


def matrices(o, name, rows, columns):
    """View an operand with the three strides of its name."""
    strides = (
        getattr(o, f"{name.lower()}_{along}") for along in ("task", "row", "col")
    )
    return entries(getattr(o, name), (o.tasks, rows, columns), tuple(strides))


def product_into(o):
    return entries(o.C, (o.tasks, o.m, o.n), (o.c_task, o.c_row, 1))


def bmm(o):
    C, AB = product_into(o), matrices(o, "A", o.m, o.k) @ matrices(o, "B", o.k, o.n)
    # What is written need not have been a number before.
    C[...] = AB + o.beta * C if o.beta else AB


def bmm_pair(o):
    AB = matrices(o, "A", o.m, o.k) @ matrices(o, "B", o.k, o.n)
    DE = matrices(o, "D", o.m, o.k2) @ matrices(o, "E", o.k2, o.n)
    product_into(o)[...] = AB + DE


def row_sums(o):
    a = shaped(o.a, o.tasks, o.rows, o.cols)
    entries(o.out, (o.tasks, o.cols), (o.out_task, 1))[...] = a.sum(1)


def add_row(o):
    row = entries(o.row, (o.tasks, 1, o.cols), (o.row_task, 0, 1))
    shaped(o.a, o.tasks, o.rows, o.cols)[...] += row


def centre(o):
    a = shaped(o.a, o.tasks, o.rows, o.cols)
    a -= m(a)


# Batch normalisation and ReLU: conv_block, with m the mean over rows.


def m(a):
    return a.mean(1, keepdims=True)


def whole(o, *names):
    """View activations, (T, R, C)."""
    return (shaped(getattr(o, n), o.tasks, o.rows, o.channels) for n in names)


def factors(o, *names):
    """View factors of a channel, (T, C), lined up with activations: (T, 1, C)."""
    return (shaped(getattr(o, n), o.tasks, 1, o.channels) for n in names)


def parameters(o, *names):
    """View parameters, lined up with activations: (T, 1, C)."""
    shape, strides = (o.tasks, 1, o.channels), (o.param_task, 0, 1)
    return (entries(getattr(o, n), shape, strides) for n in names)


def bn_relu(o):
    Z, c, y = whole(o, "Z", "c", "y")
    rho, a = factors(o, "rho", "a")
    gamma, beta = parameters(o, "gamma", "beta")
    c[...] = Z - m(Z)
    rho[...] = (m(c * c) + o.eps) ** -0.5  # (1)
    a[...] = rho * gamma
    y[...] = np.maximum(a * c + beta, 0)


def bn_relu_vjp(o):
    y_bar, y, c, s_y_bar, Z_bar = whole(o, "y_bar", "y", "c", "s_y_bar", "Z_bar")
    rho, a, e, q, k = factors(o, "rho", "a", "e", "q", "k")
    gamma_bar, beta_bar = parameters(o, "gamma_bar", "beta_bar")
    s_y_bar[...] = np.where(y > 0, y_bar, 0)
    e[...] = m(s_y_bar)
    q[...] = m(c * s_y_bar)
    k[...] = rho * rho * q
    Z_bar[...] = a * (s_y_bar - e - k * c)  # (2)
    gamma_bar[...] = o.rows * rho * q
    beta_bar[...] = o.rows * e


def bn_relu_jvp(o):
    Z_dot, y, c, y_dot = whole(o, "Z_dot", "y", "c", "y_dot")
    rho, a, mu, rho_dot, a_dot = factors(o, "rho", "a", "mu", "rho_dot", "a_dot")
    gamma, gamma_dot, beta_dot = parameters(o, "gamma", "gamma_dot", "beta_dot")
    mu[...] = m(Z_dot)
    rho_dot[...] = -(rho**3) * m(c * Z_dot)  # (4)
    a_dot[...] = rho_dot * gamma + rho * gamma_dot
    y_dot[...] = np.where(y > 0, a * Z_dot + a_dot * c + beta_dot - a * mu, 0)


def bn_relu_vjp_dot(o):
    y_bar_dot, y_bar, y, c = whole(o, "y_bar_dot", "s_y_bar", "y", "c")
    Z_dot, Z_bar_dot = whole(o, "Z_dot", "Z_bar_dot")
    mu, rho, rho_dot, a, a_dot = factors(o, "mu", "rho", "rho_dot", "a", "a_dot")
    e, q, k = factors(o, "e", "q", "k")
    gamma_bar_dot, beta_bar_dot = parameters(o, "gamma_bar_dot", "beta_bar_dot")
    y_bar_dot = np.where(y > 0, y_bar_dot, 0)
    e_dot = m(y_bar_dot)
    q_dot = m(c * y_bar_dot) + m(Z_dot * y_bar) - mu * e
    k_dot = 2 * rho * rho_dot * q + rho * rho * q_dot
    moving = a * y_bar_dot + a_dot * y_bar
    moving = moving - (a_dot * k + a * k_dot) * c - a * k * Z_dot
    Z_bar_dot[...] = moving + (a * k * mu - (a_dot * e + a * e_dot))  # (5)
    gamma_bar_dot[...] = o.rows * (rho_dot * q + rho * q_dot)  # (6)
    beta_bar_dot[...] = o.rows * e_dot


FORMULAS = {
    formula.__name__: formula
    for formula in (
        bmm,
        bmm_pair,
        row_sums,
        add_row,
        centre,
        bn_relu,
        bn_relu_vjp,
        bn_relu_jvp,
        bn_relu_vjp_dot,
        *images.FORMULAS,
        *vectors.FORMULAS,
    )
}
FORMULAS |= convolutions(bn_relu, bn_relu_jvp)
# A tensor core computes the same, of numbers it has rounded.
FORMULAS |= {
    f"{name}_{way}": formula
    for name, formula in FORMULAS.items()
    if name.startswith(("bmm", "conv"))
    for way in ("tf32", "3xtf32")
}
