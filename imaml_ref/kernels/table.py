"""The table of kernels: where each is, what it takes, and how it is launched.

Arrays are (T, ...) with the entries of a task in one piece, unless an argument
``*_task`` gives the distance, in entries, from one task to the next.  A geometry is
a function of the integer arguments alone: equal sizes give equal sums.
"""

from collections.abc import Callable

from .kernel import Ints, Kernel, Launch, Triple, arguments
from .tiles import tiles

THREADS = 256
CHUNK = 2048  # entries of a vector that a block works on: 8 per thread
CHANNELS, LANES = 16, 32  # of a block that sums over rows


def over(count: int, each: int) -> int:
    """Return how many pieces of a length cover a count."""
    return -(-count // each)


def chunks(size: int) -> int:
    """Return the partial sums per task of a vector of a size."""
    return over(size, CHUNK)


def one(symbol: str, block: Triple, grid: Callable[[Ints], Triple]):
    """Return the launches of a kernel that is one function."""
    return lambda ints: [Launch(symbol, grid(ints), block)]


def entrywise(symbol: str, *counts: str):
    """Return the launches of a kernel with a thread per entry."""

    def launches(ints: Ints) -> list[Launch]:
        count = 1
        for name in counts:
            count *= ints[name]
        return [Launch(symbol, (over(count, THREADS), 1, 1), (THREADS, 1, 1))]

    return launches


def by_channel(symbol: str, channels: str = "channels"):
    """Return the launches of a kernel that sums over the rows of each channel."""
    return one(
        symbol,
        (CHANNELS, LANES, 1),
        lambda s: (over(s[channels], CHANNELS), s["tasks"], 1),
    )


def by_chunk(symbol: str, *then: str):
    """Return the launches of a kernel on vectors, and of what follows, per task."""

    def launches(ints: Ints) -> list[Launch]:
        tasks = ints["tasks"]
        first = Launch(symbol, (chunks(ints["size"]), tasks, 1), (THREADS, 1, 1))
        return [first, *(Launch(s, (tasks, 1, 1), (THREADS, 1, 1)) for s in then)]

    return launches


def kernel(name: str, file: str, description: str, launches) -> Kernel:
    """Return a row of the table."""
    return Kernel(name, file, arguments(description), launches)


ROWS = (
    kernel(
        "bmm",
        "products.cu",
        "in: A B, inout: C, int: tasks m n k a_task a_row a_col b_task b_row b_col "
        "c_task c_row, real: beta",
        tiles("bmm"),
    ),
    kernel(
        "bmm_pair",
        "products.cu",
        "in: A B D E, inout: C, int: tasks m n k k2 a_task a_row a_col b_task b_row "
        "b_col d_task d_row d_col e_task e_row e_col c_task c_row, real: beta",
        tiles("bmm_pair"),
    ),
    kernel(
        "row_sums",
        "products.cu",
        "in: a, out: out, int: tasks rows cols out_task",
        by_channel("row_sums", "cols"),
    ),
    kernel(
        "add_row",
        "products.cu",
        "inout: a, in: row, int: tasks rows cols row_task",
        entrywise("add_row", "tasks", "rows", "cols"),
    ),
    kernel(
        "descend",
        "vectors.cu",
        "inout: phi, in: grad theta, int: theta_task, in: lam, int: lam_step, "
        "in: step_size, out: partials squares, int: tasks size",
        by_chunk("descend", "descend_squares"),
    ),
    kernel(
        "task_dot",
        "vectors.cu",
        "in: a b, out: partials out, int: tasks size",
        by_chunk("task_dot", "task_dot_sums"),
    ),
    kernel(
        "task_axpy",
        "vectors.cu",
        "in: alpha x y, out: out, int: tasks size",
        by_chunk("task_axpy"),
    ),
    kernel(
        "task_xpby",
        "vectors.cu",
        "in: x beta y, out: out, int: tasks size",
        by_chunk("task_xpby"),
    ),
    kernel(
        "damped",
        "vectors.cu",
        "in: Hv v lam, int: lam_step, out: out, int: tasks size",
        by_chunk("damped"),
    ),
)

KERNELS: dict[str, Kernel] = {row.name: row for row in ROWS}
FILES = tuple(dict.fromkeys(row.file for row in ROWS))
