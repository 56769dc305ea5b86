"""z̄ of the softmax cross-entropy without its value, which a step has no use for.

With N examples, z̄_n = (p_n − e_{y_n}) / N: (2) of ``losses``, by (6) there.
"""

from numpy import add, arange, divide, exp, maximum, subtract

from ..compute import Array


def softmax_bar(z: Array, e_y: Array, z_bar: Array) -> None:
    """Write z̄ (T, N, D), in one piece, for outputs z and unit vectors e_y."""
    # The first of the largest outputs of each row, by its place in all of them: to pick
    # entries takes half as long as to choose them by a mask.
    top = z.argmax(-1).ravel() + arange(0, z.size, z.shape[-1])
    flat = z_bar.reshape(-1)
    subtract(z, maximum.reduce(z, axis=-1, keepdims=True), z_bar)
    exp(z_bar, z_bar)
    flat[top] = 0
    others = add.reduce(z_bar, axis=-1, keepdims=True)
    divide(z_bar, 1 + others, z_bar)
    others = add.reduce(z_bar, axis=-1)
    subtract(z_bar, e_y, z_bar)
    flat[top] = (1 - e_y.reshape(-1)[top]) - others.ravel()
    divide(z_bar, z.shape[1], z_bar)
