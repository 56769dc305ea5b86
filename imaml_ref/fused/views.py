"""Views that line arrays up: kernels as matrices, transposes, parameters as rows."""

from ..compute import Array


def matrix(kernel: Array) -> Array:
    """View a kernel (T, kh, kw, C_in, C_out) as W, (T, kh·kw·C_in, C_out)."""
    return kernel.reshape(len(kernel), -1, kernel.shape[-1])


def transposed(a: Array) -> Array:
    """View (T, R, K) as (T, K, R)."""
    return a.swapaxes(1, 2)


def column(p: Array) -> Array:
    """Line a parameter (T, C) up with (T, g, C)."""
    return p[:, None]
