"""Items spread over processes that fork from this one and end with the map.

Threads wait for one another between short NumPy calls, because they share the
interpreter; processes do not.  A fork has everything this process has, so that nothing
needs to be handed over but the results, which are pickled.  What a function changes
elsewhere, such as a list that it appends to, this process does not see.
"""

import multiprocessing
import os
import pickle
import signal
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # results that wait in a child until they are asked for, at most
PARENT_SECONDS = 0.5  # between a child's looks whether its parent still lives


_worker = [0]


def worker() -> int:
    """Return which process of a map this is; 0 is the first, and outside of maps."""
    return _worker[0]


def can_fork() -> bool:
    """Return whether the system can copy a process."""
    return "fork" in multiprocessing.get_all_start_methods()


def map_forked(
    f: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Generator[Result]:
    """Yield f(item) for each item, in order, computed by this process and its forks.

    Raises:
        ChildProcessError: If a fork ends before its work.
    """
    workers = min(workers, len(items))
    children = [Child(f, items[k::workers], k) for k in range(1, workers)]
    try:
        for i, item in enumerate(items):
            who = i % workers
            yield children[who - 1].receive() if who else f(item)
    finally:
        for child in children:
            child.end()


class Child:
    """A fork that computes f of its items, one after the other.

    Args:
        f: A function.
        items: Its arguments.
        number: Which worker it is, from 1.
    """

    def __init__(self, f: Callable, items: Sequence, number: int):
        context = multiprocessing.get_context("fork")
        self._results, sending = context.Pipe(duplex=False)
        self._process = context.Process(
            target=work,
            args=(f, items, number, sending, os.getpid()),
            daemon=True,
        )
        with warnings.catch_warnings():
            # Python warns of locks that other threads may hold.  A fork waits for none:
            # it computes with NumPy, whose BLAS starts again by itself.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded")
            self._process.start()
        sending.close()

    def receive(self) -> Any:
        """Return the next result, or raise what f raised.

        Raises:
            ChildProcessError: If the fork has ended.
        """
        try:
            result, error = pickle.loads(self._results.recv_bytes())
        except EOFError:
            self._process.join()
            raise ChildProcessError(
                f"a worker process ended with status {self._process.exitcode} before "
                "its work was done; memory may have run out: use fewer processes"
            ) from None
        if error is not None:
            raise error
        return result

    def end(self) -> None:
        """End the fork, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._results.close()


def work(
    f: Callable, items: Sequence, number: int, sending: Connection, parent: int
) -> None:
    """Compute in a fork, while a thread sends what is ready."""
    _worker[0] = number
    Thread(target=end_with, args=(parent,), daemon=True).start()
    for name in (signal.SIGINT, signal.SIGTERM):
        # They are meant for the first process, which then ends this one.
        signal.signal(name, signal.SIG_IGN)
    ready: SimpleQueue = SimpleQueue()
    room = BoundedSemaphore(AHEAD)
    sender = Thread(target=send, args=(ready, room, sending))
    sender.start()
    for item in items:
        room.acquire()
        succeeded, message = outcome(f, item)
        ready.put(message)
        if not succeeded:
            break
    ready.put(None)
    sender.join()


def end_with(parent: int) -> None:
    """End this fork once the process that it was forked from has ended.

    One that was killed ends nothing.  Its pipes would not tell either: forks hold
    copies of their ends, their own and those of forks before them.

    Args:
        parent: Its number, taken before the fork.
    """
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    signal.raise_signal(signal.SIGKILL)


def outcome(f: Callable, item) -> tuple[bool, bytes]:
    """Return whether f(item) was computed, and it, or what was raised, as a message."""
    try:
        return True, pickle.dumps((f(item), None), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return False, pickle.dumps((None, portable(error)))


def portable(error: Exception) -> Exception:
    """Return an error that can be pickled: the same, or one that quotes it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"in a worker process: {type(error).__name__}: {error}")
    return error


def send(ready: SimpleQueue, room: BoundedSemaphore, sending: Connection) -> None:
    """Send what is ready until there is no more, or nobody listens."""
    try:
        while (found := ready.get()) is not None:
            sending.send_bytes(found)
            room.release()
    except BrokenPipeError:
        signal.raise_signal(signal.SIGKILL)
