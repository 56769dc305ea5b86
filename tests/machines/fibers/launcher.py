"""The launcher of imaml_ref.kernels on the CPU, for NumPy arrays."""

import ctypes
from threading import Lock

import numpy as np

from imaml_ref.kernels.table import KERNELS

from .build import library

RESULTS = {
    1: "some threads wait for a barrier that others will never reach",
    2: "some threads have returned while others wait for them at a barrier",
    3: "a vector is read or written at an address that is no multiple of its size",
    4: "a shuffle does not name all lanes of its warp",
}
ONE_BLOCK = Lock()  # the fibers of one block are all that the library knows


class FiberLauncher:
    """Runs kernels by name on NumPy arrays.

    Args:
        dtype: float32 or float64, of all real arrays.
        seed: Of the order in which threads and blocks run; 0 for their own order.
        without: The line of a barrier that is to be left out, or 0.
    """

    def __init__(self, dtype, seed=1, without=0):
        self.dtype, self.seed, self.without = np.dtype(dtype), seed, without

    def zeros(self, shape, dtype=None):
        """Return an array of zeros, real if no dtype is given."""
        return np.zeros(shape, dtype or self.dtype)

    def __call__(self, name, **arguments):
        """Launch a kernel of the table with its arguments by name."""
        self.bind(name, **arguments)()

    def bind(self, name, **arguments):
        """Check the arguments once; return what launches the kernel with them.

        Running it raises a RuntimeError if threads of a block disagree on a barrier, or
        do what only a processor forgives.
        """
        kernel = KERNELS[name]
        values = kernel.values(arguments, np.ndarray, self.dtype)
        functions = library(kernel.file, self.dtype.name)
        launches = kernel.launched(arguments)
        held = [as_c(value) for value in values]
        pointers = (ctypes.c_void_p * len(held))(*[ctypes.addressof(h) for h in held])

        def run():
            for symbol, grid, block in launches:
                function = getattr(functions, f"run_{symbol}")
                sizes = [(ctypes.c_uint * 3)(*s) for s in (grid, block)]
                with ONE_BLOCK:
                    result = function(pointers, *sizes, self.seed, self.without)
                if result:
                    raise RuntimeError(f"{symbol}: {RESULTS[result]}")

        # What run points at lives as long as run does.
        run.held = (values, held)
        return run


def as_c(value):
    """Return a ctypes object that holds a pointer to an array, or a scalar."""
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    kinds = {"i": ctypes.c_int, "f": ctypes.c_float, "d": ctypes.c_double}
    return kinds[value.dtype.char](value)
