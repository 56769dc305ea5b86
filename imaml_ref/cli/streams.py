"""Standard output and standard error that are absent, closed, full or hold no Greek.

A training tells its story there, and its results are in files: it goes on without
listeners.  A command whose result is what it prints ends, in one line at most.
"""

import os
import sys
from contextlib import suppress
from typing import Any

UTF_8 = "utf-8"


def make_ready() -> None:
    """Have streams that can be written to, whatever the program was started with."""
    open_descriptors()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # Python's word for a descriptor that was closed
            setattr(sys, name, open(os.devnull, "w", encoding=UTF_8))  # noqa: SIM115
        elif hasattr(stream, "reconfigure") and stream.encoding.lower() != UTF_8:
            stream.reconfigure(errors="backslashreplace")


def open_descriptors() -> None:
    """Open those of descriptors 0, 1, 2 that are closed.

    Otherwise the next file that is opened gets the number, and in it would land what
    some library prints.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def say(text: str, *, error: bool = False) -> None:
    """Print one line, if somebody can still be told."""
    stream = sys.stderr if error else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        drop(stream)


def flush() -> None:
    """Write what waits to be written to standard output, or drop it.

    Raises:
        OSError: If it cannot be written.
    """
    try:
        sys.stdout.flush()
    except OSError:
        drop(sys.stdout)
        raise


def drop(stream: Any) -> None:
    """Send what waits in a stream, and all that comes, nowhere.

    Whoever flushes it later, as Python does when it ends, would fail once more.
    """
    with suppress(OSError):  # a stream without a descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
