"""z̄ of the softmax cross-entropy without its value, which a step has no use for.

With N examples, z̄_n = (p_n − e_{y_n}) / N: (2) of ``losses``, by (6) there.
"""

from numpy import add, copyto, divide, exp, maximum, subtract

from ..compute import Array
from ..networks import first_largest


def softmax_bar(z: Array, e_y: Array, z_bar: Array) -> None:
    """Write z̄ (T, N, D) for outputs z and unit vectors e_y."""
    top = first_largest(z)
    subtract(z, maximum.reduce(z, axis=-1, keepdims=True), z_bar)
    exp(z_bar, z_bar)
    copyto(z_bar, 0, where=top)
    others = add.reduce(z_bar, axis=-1, keepdims=True)
    divide(z_bar, 1 + others, z_bar)
    others = add.reduce(z_bar, axis=-1, keepdims=True)
    subtract(z_bar, e_y, z_bar)
    copyto(z_bar, (1 - e_y) - others, where=top)
    divide(z_bar, z.shape[1], z_bar)
