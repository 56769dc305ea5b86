"""What killed writers leave behind, and when it may go.

Whoever writes a file holds a shared lock (flock) on its folder; the system ends it with
the process.  Who gets an exclusive one is alone in the folder, and every temporary file
of its path is a leftover.  The lock is on the folder and not on the temporary file,
because HDF5 locks that one itself, or not, as its environment says.
"""

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TOKEN_BYTES = 4


def temporary_name(path: Path) -> str:
    """Return a hidden name for a file while it is written, with its suffix."""
    return f".{path.stem}.{secrets.token_hex(TOKEN_BYTES)}.part{path.suffix}"


def leftovers(path: Path) -> list[Path]:
    """Return the temporary files of a path, not those of longer names."""
    token = "[0-9a-f]" * (2 * TOKEN_BYTES)
    stem, suffix = glob.escape(path.stem), glob.escape(path.suffix)
    return list(path.parent.glob(f".{stem}.{token}.part{suffix}"))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the shared lock for a path, and remove its leftovers first, if alone.

    Where a folder cannot be locked, as on Windows and some network file systems,
    nothing is held, and nothing removed.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError:  # it may not be listed; on Windows no folder can be opened
        yield
        return
    try:
        with suppress(OSError):
            lock(folder, path)
        yield
    finally:
        os.close(folder)


def lock(folder: int, path: Path) -> None:
    """Take the shared lock, after the leftovers of a path went under an exclusive one.

    Args:
        folder: Descriptor of the folder.
        path: What is going to be written in it.

    Raises:
        OSError: If the file system has no locks.
    """
    if fcntl is None:
        return
    with suppress(BlockingIOError):
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for leftover in leftovers(path):
            leftover.unlink(missing_ok=True)
    fcntl.flock(folder, fcntl.LOCK_SH)
