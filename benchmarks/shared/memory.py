"""Memory of processes as Linux tells it; None where there is no such system."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

SHARE = 0.5  # of what is available, that a process may use if not told otherwise


def resident(pid: int) -> int | None:
    """Return the bytes of a process that are in memory now."""
    return status(pid, "VmRSS")


def peak(pid: int) -> int | None:
    """Return the most bytes that were in memory since ``reset_peak``."""
    return status(pid, "VmHWM")


def status(pid: int, field: str) -> int | None:
    """Return a field of /proc/PID/status in bytes."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return 1024 * int(line.split()[1])
    return None


def reset_peak(pid: int) -> bool:
    """Let the peak of a process start again from what is there; False if it cannot."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def family(pid: int) -> list[int]:
    """Return the ids of a process and of those that descend from it."""
    children = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return [pid, *(pid for child in children for pid in family(child))]


def private(pid: int) -> int | None:
    """Return the bytes in memory that no other process maps; 0 once it has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kinds = ("Private_Clean:", "Private_Dirty:")
        return 1024 * sum(int(at.split()[1]) for at in lines if at.startswith(kinds))
    return 0


class Forks:
    """Watches the processes that come and go while something runs, as a context.

    Args:
        known: Ids of processes that are counted elsewhere.

    ``most`` is the largest sum of what they have to themselves, in bytes.
    """

    EVERY = 0.01  # seconds

    def __init__(self, known: list[int]):
        self.known, self.most, self._over = set(known), 0, Event()
        self._thread = Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(self.EVERY):
            forks = set(family(os.getpid())) - self.known
            self.most = max(self.most, sum(map(private, forks)))

    def __enter__(self) -> "Forks":
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._over.set()
        self._thread.join()


def total(read, pids) -> int | None:
    """Return the sum of a reading over processes, or None if one is not known."""
    found = [read(pid) for pid in pids]
    return None if None in found else sum(found)


def give_back_free_memory() -> None:
    """Ask the C library (glibc) to return what is free; elsewhere do nothing."""
    library = ctypes.CDLL(None) if os.name == "posix" else None
    trim = getattr(library, "malloc_trim", None)
    if trim is not None:
        trim(0)


def available() -> int | None:
    """Return the bytes that programs may still ask for."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def allowed(gigabytes: float | None) -> int | None:
    """Return the bytes that a process may use; None where it is not known."""
    if gigabytes is not None:
        return int(1e9 * gigabytes)
    free = available()
    return free and int(SHARE * free)


def die_first() -> None:
    """Make this process the one to be ended if memory should run out all the same."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
