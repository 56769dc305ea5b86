"""CUDA: what launches kernels there, and graphs of launches.

A graph is recorded on a stream of its own while nothing runs: no memory is asked for or
given back, nothing is read, and no library is called meanwhile.  It holds the addresses
of its arrays, so these are made before, and live as long as the graph does.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock
from typing import Any

import numpy

from ..compute import Array, array_module
from .launch import Launcher

RECORDING = Lock()  # one at a time: garbage is collected for all threads or for none


class Cuda:
    """A device, the current one, through CuPy.

    Args:
        cupy: CuPy.
    """

    def __init__(self, cupy: Any):
        self._cupy = cupy
        self.launcher = cache(Launcher)

    def has(self, a: Array) -> bool:
        """Whether kernels here take an array."""
        return isinstance(a, self._cupy.ndarray)

    def record(self, run: Callable[[Any], None]) -> Callable[[], None]:
        """Return what launches on the current stream, as one graph, what ``run`` does.

        Args:
            run: Launches kernels on the current stream, and on the side of a
                ``Branch`` that it is given; it has run before.
        """
        # A blocking stream would wait for the default one, which cannot be recorded.
        stream, side = (self._cupy.cuda.Stream(non_blocking=True) for _ in range(2))
        branch = Branch(stream, side)
        with RECORDING, stream, without_gc():
            stream.begin_capture()
            try:
                run(branch)
            except BaseException:
                # A recording that has failed must end, and fails again in doing so.
                with suppress(Exception):
                    stream.end_capture()
                raise
            return stream.end_capture().launch


@contextmanager
def without_gc() -> Iterator[None]:
    """Collect no garbage inside: it may hold memory and graphs of the device."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Branch:
    """Two streams of one recording.

    Args:
        stream: Where a recording begins and ends.
        side: Where launches go that the stream does not wait for, until it joins.
    """

    def __init__(self, stream: Any, side: Any):
        self._stream, self._side = stream, side
        self._events: list[Any] = []  # they live until the recording has ended

    @contextmanager
    def aside(self) -> Iterator[None]:
        """A context on the side, after all that the stream has been given so far."""
        self._let_wait(self._side, self._stream)
        with self._side:
            yield

    def join(self) -> None:
        """Let the stream wait for the side."""
        # A side that was given nothing is no part of the recording.
        if self._events:
            self._let_wait(self._stream, self._side)

    def _let_wait(self, later: Any, earlier: Any) -> None:
        self._events.append(earlier.record())
        later.wait_event(self._events[-1])


def cuda_of(a: Array) -> Cuda | None:
    """Return CUDA on the device of an array of CuPy's; None for one of NumPy's."""
    xp = array_module(a)
    return None if xp is numpy else cuda(xp, a.device.id)


@cache
def cuda(cupy: Any, device: int) -> Cuda:
    """Return CUDA through CuPy; each device has its own, and so its own arrays."""
    return Cuda(cupy)
