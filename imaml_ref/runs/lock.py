"""A lock on the folder of a run, so that no two programs write one run.

It is the operating system's (flock; LockFileEx on Windows), on the file ``.lock`` in
the folder.  It ends with its process, however that ends; the file stays and says
nothing.  Forks of the process let go of it at once: a worker that outlives a killed
process must not keep the run locked.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

NAME = ".lock"

_held: set[IO] = set()


class Busy(OSError):
    """Another program writes the run, or has just done so."""


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder, which is made if it is not there.

    Yields:
        Whether it is held; where the file system has no locks it is not.

    Raises:
        Busy: If somebody else holds it.
        OSError: If the folder cannot be written to.
    """
    # Imported here: only who writes a run needs it.
    import portalocker

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / NAME, "a") as file:
        held = True
        try:
            portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except portalocker.AlreadyLocked as error:
            raise Busy(
                f"another program is writing the run {folder}; wait until it ends, or "
                "choose another --out"
            ) from error
        except portalocker.LockException:
            held = False
        _held.add(file)
        try:
            yield held
        finally:
            _held.discard(file)


def let_go() -> None:
    """Close the locks that a fork has inherited; this does not unlock them."""
    for file in _held:
        file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=let_go)
