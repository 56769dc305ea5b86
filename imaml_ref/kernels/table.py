"""The table of kernels: where each is, what it takes, and how it is launched.

Arrays are (T, ...) with the entries of a task in one piece, unless an argument
``*_task`` gives the distance, in entries, from one task to the next.  A geometry is
a function of the integer arguments alone: equal sizes give equal sums.
"""

from .geometry import by_channel, by_chunk, by_task, chunks, entrywise, in_turn
from .kernel import Kernel, arguments
from .tiles import tiles

__all__ = ["FILES", "KERNELS", "chunks"]


def row(name: str, file: str, description: str, launches) -> Kernel:
    """Return a row of the table."""
    return Kernel(name, file, arguments(description), launches)


PRODUCTS = (
    row(
        "bmm",
        "products.cu",
        "in: A B, inout: C, int: tasks m n k a_task a_row a_col b_task b_row b_col "
        "c_task c_row, real: beta",
        tiles("bmm"),
    ),
    row(
        "bmm_pair",
        "products.cu",
        "in: A B D E, out: C, int: tasks m n k k2 a_task a_row a_col b_task b_row "
        "b_col d_task d_row d_col e_task e_row e_col c_task c_row",
        tiles("bmm_pair"),
    ),
    row(
        "row_sums",
        "products.cu",
        "in: a, out: out, int: tasks rows cols out_task",
        by_channel("row_sums", "cols"),
    ),
    row(
        "add_row",
        "products.cu",
        "inout: a, in: row, int: tasks rows cols row_task",
        entrywise("add_row", "tasks", "rows", "cols"),
    ),
)

# ``partials`` is memory for (T, 2, chunks(size)) entries, of no meaning afterwards.
VECTORS = (
    row(
        "descend",
        "vectors.cu",
        "inout: phi, in: grad theta, int: theta_task, in: lam, int: lam_step, "
        "in: step_size, out: partials squares, int: tasks size",
        in_turn(by_chunk("descend"), by_task("descend_squares")),
    ),
    row(
        "cg_begin",
        "vectors.cu",
        "in: b M, int: M_step, real: rtol atol, out: x r p partials tolerance rho "
        "residual, out int32: iterations status, int: tasks size",
        in_turn(by_chunk("cg_begin"), by_task("cg_begin_task")),
    ),
    row(
        "cg_length",
        "vectors.cu",
        "in: Hp p shift, int: shift_step conduct, out: partials, in: rho, "
        "inout int32: status iterations, out int32: moves, out: alpha, "
        "inout: record, int: tasks size",
        in_turn(by_chunk("cg_length"), by_task("cg_length_task")),
    ),
    row(
        "cg_move",
        "vectors.cu",
        "in: alpha Hp p shift, int: shift_step, in: M, int: M_step, inout: x r, "
        "out: partials, in int32: moves, in: tolerance, inout: rho residual, "
        "inout int32: status, out: beta, inout: record, int: tasks size",
        in_turn(by_chunk("cg_move"), by_task("cg_move_task")),
    ),
    row(
        "cg_direction",
        "vectors.cu",
        "in: beta, in int32: status, in: r M, int: M_step, inout: p, int: tasks size",
        by_chunk("cg_direction"),
    ),
)

ROWS = (*PRODUCTS, *VECTORS)
KERNELS: dict[str, Kernel] = {kernel.name: kernel for kernel in ROWS}
FILES = tuple(dict.fromkeys(kernel.file for kernel in ROWS))
