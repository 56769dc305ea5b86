"""Random arrays for cases of kernels, and lists of cases."""

from functools import partial

import numpy as np


class Maker:
    """Makes arrays of one dtype from one seed."""

    def __init__(self, dtype, seed):
        self.rng, self.dtype = np.random.default_rng(seed), np.dtype(dtype)

    def normal(self, *shape):
        return self.rng.normal(size=shape).astype(self.dtype)

    def positive(self, *shape):
        return self.rng.uniform(0.5, 2, size=shape).astype(self.dtype)

    def ints(self, below, *shape, dtype="int32"):
        return self.rng.integers(below, size=shape).astype(dtype)

    def unwritten(self, *shape):
        return np.full(shape, np.nan, self.dtype)

    def unwritten_ints(self, *shape):
        return np.full(shape, -7, "int32")


def each(function, sizes):
    """Return a function of a Maker for each of several sizes."""
    return [partial(function, **size) for size in sizes]
