"""Blocks and threads of a kernel, from its integer arguments.

Each function returns the launches of a row of the table, itself a function of the
integer arguments.
"""

from collections.abc import Callable
from math import prod

from .kernel import LARGEST, Ints, Launch

THREADS = 256
CHUNK = 2048  # entries of a vector that a block works on: 8 per thread
CHANNELS, LANES = 16, 32  # of a block that sums over rows

Launches = Callable[[Ints], list[Launch]]


def over(count: int, each: int) -> int:
    """Return how many pieces of a length cover a count."""
    return -(-count // each)


def chunks(size: int) -> int:
    """Return the partial sums per task of a vector of a size."""
    return over(size, CHUNK)


def counted(symbol: str, count: int) -> int:
    """Return how many threads there are to be, which a kernel has in 32 bits.

    Raises:
        ValueError: If it has not.
    """
    if count > LARGEST:
        raise ValueError(
            f"{symbol} would need {count} threads, more than an int counts; "
            "take fewer tasks at a time"
        )
    return count


def entrywise(symbol: str, *names: str, fours: str = "") -> Launches:
    """A thread per entry; the names multiply to their number.

    Args:
        symbol: The function.
        names: Of the integer arguments.
        fours: The one that, if it divides by four, gives a thread four entries.
    """

    def launches(ints: Ints) -> list[Launch]:
        each = 4 if fours and ints[fours] % 4 == 0 else 1
        entries = prod(ints[name] for name in names)
        blocks = over(counted(symbol, over(entries, each)), THREADS)
        return [Launch(symbol, (blocks, 1, 1), (THREADS, 1, 1))]

    return launches


def by_channel(symbol: str, channels: str = "channels") -> Launches:
    """A block per task and 16 channels, for sums over rows."""

    def launches(ints: Ints) -> list[Launch]:
        grid = (over(ints[channels], CHANNELS), ints["tasks"], 1)
        return [Launch(symbol, grid, (CHANNELS * LANES, 1, 1))]

    return launches


def by_task(symbol: str, threads: int = THREADS) -> Launches:
    """A block per task."""
    return lambda ints: [Launch(symbol, (ints["tasks"], 1, 1), (threads, 1, 1))]


def by_chunk(symbol: str) -> Launches:
    """A block per task and chunk of a vector."""

    def launches(ints: Ints) -> list[Launch]:
        grid = (chunks(ints["size"]), ints["tasks"], 1)
        return [Launch(symbol, grid, (THREADS, 1, 1))]

    return launches


def in_turn(*stages: Launches) -> Launches:
    """One launch after the other."""
    return lambda ints: [launch for stage in stages for launch in stage(ints)]
