"""Arrays that a fork does not copy.

After a fork each page that either process writes to is copied first, and a set of
sweeps has thousands.  Memory that is shared is not copied; so each worker process gets
sets of its own, made before the fork, and writes to no other.
"""

import mmap
import os
from math import prod
from threading import Lock

import numpy

from ..backend import Array
from ..parallel import num_processes

CHUNK_BYTES = 16 * 2**20  # pages that nobody touches take no memory
ALIGNMENT = 64  # bytes: a line of the cache, and the widest instructions


class Chunk:
    """Shared memory that arrays are cut from, by one process.

    Args:
        num_bytes: Its size.
    """

    def __init__(self, num_bytes: int):
        self.owner = os.getpid()
        self._bytes = numpy.frombuffer(mmap.mmap(-1, num_bytes), numpy.uint8)

    def has(self, num_bytes: int) -> bool:
        """Whether so many bytes are left, for this process."""
        return num_bytes <= len(self._bytes) and self.owner == os.getpid()

    def take(self, num_bytes: int) -> Array:
        """Return so many bytes that are zero."""
        taken = self._bytes[:num_bytes]
        self._bytes = self._bytes[-(-num_bytes // ALIGNMENT) * ALIGNMENT :]
        return taken


_lock = Lock()
_chunks = [Chunk(ALIGNMENT)]


def zeros(shape: tuple[int, ...], dtype) -> Array:
    """Return zeros; where processes share the work, in memory that forks share."""
    if num_processes() == 1:
        return numpy.zeros(shape, dtype)
    num_bytes = prod(shape) * numpy.dtype(dtype).itemsize
    with _lock:
        if not _chunks[0].has(num_bytes):
            _chunks[0] = Chunk(max(num_bytes, CHUNK_BYTES))
        taken = _chunks[0].take(num_bytes)
    return taken.view(dtype).reshape(shape)
