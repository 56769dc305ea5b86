"""z̄ of the softmax cross-entropy without its value, which a step has no use for.

With N examples, z̄_n = (p_n − e_{y_n}) / N: (2) of ``losses``.
"""

from numpy import add, divide, exp, maximum, subtract

from ..backend import Array


def softmax_bar(z: Array, e_y: Array, z_bar: Array) -> None:
    """Write z̄ (T, N, D) for outputs z and unit vectors e_y."""
    subtract(z, maximum.reduce(z, axis=-1, keepdims=True), z_bar)
    exp(z_bar, z_bar)
    divide(z_bar, add.reduce(z_bar, axis=-1, keepdims=True), z_bar)
    subtract(z_bar, e_y, z_bar)
    divide(z_bar, z.shape[1], z_bar)
