"""Arrays that stay where they are, and what runs on them."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy

from ..compute import Array

# What tensor cores can do, by names of their own.
PRODUCTS = (
    "bmm",
    "bmm_pair",
    "conv_bn_relu",
    "conv_bn_relu_jvp",
    "conv_vjp",
    "conv_vjp_dot",
)


class Space:
    """Arrays of one dtype on a machine, with launches on them and recordings of these.

    They live as long as what is launched on them.  A pool of their own would not be
    given back where they are collected before it is.

    Args:
        machine: A ``graphs.Cuda``, or what stands in for it.
        dtype: float32 or float64.
        products: The end of the names of products, in float32.
    """

    def __init__(self, machine: Any, dtype: numpy.dtype, products: str = ""):
        self.machine, self.dtype = machine, dtype
        self._launcher = machine.launcher(dtype)
        known = dtype == numpy.float32  # by tensor cores
        self._names = {name: name + products for name in PRODUCTS if known}
        self.launch = self._launcher

    def bind(self, name: str, **arguments) -> Callable[[], None]:
        """Return what launches a kernel of the table with its arguments."""
        return self._launcher.bind(self._names.get(name, name), **arguments)

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Array:
        """Return zeros, of the dtype of the space or another."""
        return self._launcher.zeros(tuple(shape), dtype)

    def reserve(self, size: int) -> None:
        """Make room for so many entries, for ``scratch``."""
        self._scratch = self.zeros((size,))

    def scratch(self, shape: tuple[int, ...]) -> Array:
        """Return an array of a shape, in the place where all such arrays are."""
        return self._scratch[: prod(shape)].reshape(shape)

    def record(self, run: Callable[..., None]) -> Callable[[], None]:
        """Return the launches that ``run`` makes as one; it makes none itself."""
        return self.machine.record(run)
