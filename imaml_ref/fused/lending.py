"""Sweeps of a network, lent to whoever computes, and used again by the next.

They are many megabytes, and a meta-step needs them for one set of examples after the
other: inner steps on the support set, ∇Q, products with H on the support set.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import numpy

from ..compute import Array
from ..networks import Network
from .sweeps import Sweeps

SPARE = 8  # sweeps that wait for the next examples of their size, at most


class FusedNetwork:
    """A network and the sweeps that nobody uses.

    Args:
        net: A network that ``pieces.covers``.
    """

    def __init__(self, net: Network):
        self.net, self.spare = net, deque[Sweeps](maxlen=SPARE)

    def __reduce__(self):
        return FusedNetwork, (self.net,)

    def take(self, shape: tuple[int, ...], dtype: numpy.dtype) -> Sweeps:
        """Return sweeps that nobody else uses."""
        for _ in range(len(self.spare)):
            try:
                sweeps = self.spare.pop()
            except IndexError:  # another thread was faster
                break
            if sweeps.size == (shape, dtype):
                return sweeps
            self.spare.appendleft(sweeps)
        return Sweeps(self.net, shape, dtype)

    def fits(self, theta: Array, x: Array) -> bool:
        """Whether inputs and φ like θ are for the sweeps; the plain path refuses."""
        return (
            isinstance(theta, numpy.ndarray)
            and isinstance(x, numpy.ndarray)
            and theta.dtype in (numpy.float32, numpy.float64)
            and x.dtype == theta.dtype
            and x.shape[2:] == self.net.input_shape
            and x.size > 0
        )


class Loan:
    """Sweeps with images in them, from the first use until they are given back.

    Args:
        fused: Whose sweeps.
        x: The images, (T, N, H, W, C).
        dtype: Of φ.
    """

    def __init__(self, fused: FusedNetwork, x: Array, dtype: numpy.dtype):
        self._fused, self._x, self._dtype = fused, x, dtype
        self._lock, self._process = RLock(), 0
        self._sweeps: Sweeps | None = None
        self._images: tuple[Array, ...] | None = None

    @contextmanager
    def sweeps(self) -> Iterator[Sweeps]:
        """Return the sweeps, and keep other threads out."""
        with self._lock:
            if self._sweeps is None:
                self._sweeps = self._fused.take(self._x.shape, self._dtype)
                self._process = 0
            # In a fork the arrays are empty.
            if self._process != os.getpid():
                # What follows from the images is computed the first time.
                if self._images is None:
                    self._images = self._sweeps.prepared(self._x)
                self._sweeps.load(self._images)
                self._process = os.getpid()
            yield self._sweeps

    def give_back(self) -> None:
        """Leave the sweeps to others, until they are needed again."""
        with self._lock:
            if self._sweeps is not None:
                self._fused.spare.append(self._sweeps)
            self._sweeps = None
