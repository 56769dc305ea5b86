"""Chunks of tasks on threads or processes, with one BLAS thread each.

Tasks do not depend on one another, and every chunk is computed alike whatever the
number of workers, so the results have the same bits for any number.  NumPy releases the
interpreter's lock in its products, so threads share the work; a BLAS that started
threads of its own would only fight them.  Processes, where they are asked for, wait for
one another less.
"""

import ctypes
import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from itertools import islice

import numpy

from ..arguments import whole
from .processes import Item, Result, can_fork, map_forked, worker

# malloc.h of glibc; an mmap threshold above 32 MiB is refused.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 32 * 2**20

_threads: list[int] = []
_processes: list[int] = []


def set_num_threads(num_threads: int | None) -> None:
    """Set how many threads work on tasks; None is one per core at hand.

    Raises:
        ValueError: If it is not an integer above 0.
    """
    _threads[:] = [] if num_threads is None else [whole()("threads", num_threads)]


def num_threads() -> int:
    """Return how many threads work on tasks."""
    return _threads[0] if _threads else cores_at_hand()


def set_num_processes(num_processes: int) -> None:
    """Set how many processes work on tasks, this one and its forks; 1 is threads.

    Processes are for functions of arrays: a loss, an inner solver or a callback of
    your own must not rely on a GPU, on threads, or on leaving something behind.

    Raises:
        ValueError: If it is not an integer above 0, or this system cannot fork.
    """
    number = whole()("processes", num_processes)
    if number > 1 and not can_fork():
        raise ValueError("this system cannot fork processes; use threads")
    _processes[:] = [number]


def num_processes() -> int:
    """Return how many processes work on tasks."""
    return _processes[0] if _processes else 1


def num_workers() -> int:
    """Return how many tasks, or chunks of them, are under way at a time."""
    return num_processes() if num_processes() > 1 else num_threads()


def cores_at_hand() -> int:
    """Return how many cores this process may use, where the system says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def chunk_size(num_parameters: int, input_bytes: int = 0) -> int:
    """Return how many tasks a worker takes at a time.

    Two tasks of the Omniglot net (P = 113,221) lie near a core's own cache, and their
    calls are long beside their starting.  Threads take four: between shorter calls they
    wait for the interpreter.  Activations take hundreds of times the memory of the
    inputs, so tasks with many or large images come in smaller chunks.

    Args:
        num_parameters: P.
        input_bytes: Size of a task's support inputs.
    """
    shared = num_processes() == 1 and num_threads() > 1
    by_parameters = (500_000 if shared else 250_000) // max(num_parameters, 1)
    return max(1, min(by_parameters, 100_000 // max(input_bytes, 1)))


def map_in_order(
    f: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[Result]:
    """Yield f(item) for each item, in order, computed by several workers.

    At most two items per worker are under way: finished results do not pile up.
    """
    keep_freed_memory()
    with one_blas_thread():
        if num_processes() > 1 and worker() == 0:
            yield from map_forked(f, list(items), num_processes())
            return
        workers = num_threads()
        if workers == 1:
            yield from map(f, items)
            return
        items = iter(items)
        with ThreadPoolExecutor(workers) as pool:
            waiting = [submit(pool, f, item) for item in islice(items, 2 * workers)]
            while waiting:
                yield waiting.pop(0).result()
                waiting += [submit(pool, f, item) for item in islice(items, 1)]


def submit(pool: ThreadPoolExecutor, f: Callable[[Item], Result], item: Item):
    """Hand a call to the pool, in the caller's context: of it is numpy.errstate."""
    return pool.submit(copy_context().run, f, item)


@cache
def keep_freed_memory() -> None:
    """Ask the C library (glibc) not to hand freed arrays back to the system.

    A sweep frees arrays that the next one asks for again; fetching fresh pages each
    time costs a third of a meta-step.  Where there is no mallopt, nothing happens.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    mallopt = getattr(library, "mallopt", None)
    if mallopt is not None:
        for parameter in (M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD):
            mallopt(parameter, KEPT_BYTES)


@cache
def sums_by_address() -> bool:
    """Return whether the BLAS orders a sum of float64 by where its operands lie.

    Kernels of OpenBLAS for processors before AVX do.  Then a layer with one output, in
    whose products such sums stand, has the same bits for the same chunks only.
    """
    rows = numpy.random.default_rng(0).normal(size=(64, 101))  # each second one is odd
    alone = [numpy.array(row) for row in rows]
    return any(row @ row != copy @ copy for row, copy in zip(rows, alone, strict=True))


def one_blas_thread():
    """Return a context in which every BLAS library uses one thread."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    """Find the BLAS libraries once; the search takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
