"""Arrays on large pages, which a fork finds empty.

A set of sweeps is tens of megabytes that a product reads in strips; on pages of 4 KiB
the processor looks up addresses all the time.  And after a fork each page that either
process writes to would be copied first.  So arrays are cut from large pieces of memory
that ask the system for pages of 2 MiB, and to be zero in a fork: there nothing is
copied, and who uses them loads them again.  A system that does neither is only slower.
"""

import mmap
import sys
from contextlib import suppress
from math import prod
from threading import Lock

import numpy

from ..compute import Array

CHUNK_BYTES = 16 * 2**20  # pages that nobody touches take no memory
ALIGNMENT = 64  # bytes: a line of the cache, and the widest instructions
WIPE_ON_FORK = 18  # of Linux's <sys/mman.h>; Python has no name for it


def pages(num_bytes: int) -> Array:
    """Return memory of this process alone, as bytes that are zero."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return numpy.zeros(num_bytes, numpy.uint8)
    memory = mmap.mmap(-1, num_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        for advice in (mmap.MADV_HUGEPAGE, WIPE_ON_FORK):
            with suppress(OSError):
                memory.madvise(advice)
    return numpy.frombuffer(memory, numpy.uint8)


class Memory:
    """Where arrays are cut from."""

    def __init__(self):
        self._lock, self._rest = Lock(), pages(CHUNK_BYTES)

    def take(self, num_bytes: int) -> Array:
        """Return so many bytes that are zero."""
        with self._lock:
            if num_bytes > len(self._rest):
                self._rest = pages(max(num_bytes, CHUNK_BYTES))
            taken = self._rest[:num_bytes]
            self._rest = self._rest[-(-num_bytes // ALIGNMENT) * ALIGNMENT :]
        return taken


_memory = Memory()


def zeros(shape: tuple[int, ...], dtype) -> Array:
    """Return zeros that are zero again after a fork."""
    taken = _memory.take(prod(shape) * numpy.dtype(dtype).itemsize)
    return taken.view(dtype).reshape(shape)
