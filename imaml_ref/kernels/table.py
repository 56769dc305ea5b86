"""The table of kernels: where each is, what it takes, and how it is launched.

Arrays are (T, ...) with the entries of a task in one piece, unless an argument
``*_task`` gives the distance, in entries, from one task to the next.  A geometry is
a function of the integer arguments alone: equal sizes give equal sums.
"""

from functools import partial

from .geometry import by_channel, by_chunk, by_task, chunks, entrywise, in_turn
from .kernel import Kernel, arguments
from .tiles import (
    CONV_TENSOR_TILES,
    CONV_TILES,
    TENSOR_TILES,
    conv_rows,
    conv_tiles,
    tiles,
)

__all__ = ["FILES", "KERNELS", "chunks"]


def row(name: str, file: str, description: str, launches, **more) -> Kernel:
    """Return a row of the table."""
    return Kernel(name, file, arguments(description), launches, **more)


def rows(file: str, geometry, **descriptions: str) -> tuple[Kernel, ...]:
    """Return rows of a file by name, each with the launches of its own function."""
    return tuple(row(n, file, d, geometry(n)) for n, d in descriptions.items())


def stepwise(symbol: str):
    """Return the launches of a kernel by chunks, and of one by tasks that ends it."""
    return in_turn(by_chunk(symbol), by_task(f"{symbol}_task"))


BMM = (
    "in: A B, inout: C, int: tasks m n k a_task a_row a_col b_task b_row b_col "
    "c_task c_row, real: beta"
)
BMM_PAIR = (
    "in: A B D E, out: C, int: tasks m n k k2 a_task a_row a_col b_task b_row "
    "b_col d_task d_row d_col e_task e_row e_col c_task c_row"
)

PRODUCTS = (
    row("bmm", "products.cu", BMM, tiles("bmm")),
    row("bmm_pair", "products.cu", BMM_PAIR, tiles("bmm_pair")),
    row(
        "row_sums",
        "rows.cu",
        "in: a, out: out, int: tasks rows cols out_task",
        by_channel("row_sums", "cols"),
    ),
    row(
        "add_row",
        "rows.cu",
        "inout: a, in: row, int: tasks rows cols row_task",
        entrywise("add_row", "tasks", "rows", "cols"),
    ),
    row(
        "centre",
        "rows.cu",
        "inout: a, int: tasks rows cols",
        by_channel("centre", "cols"),
    ),
)

ON_TENSOR_CORES = {"dtypes": ("float32",)}
TENSOR = tuple(
    row(
        f"{name}_{way}",
        "tensor.cu",
        description,
        tiles(f"{name}_{way}", TENSOR_TILES),
        **ON_TENSOR_CORES,
    )
    for name, description in (("bmm", BMM), ("bmm_pair", BMM_PAIR))
    for way in ("tf32", "3xtf32")
)

# ``partials`` is memory for (T, 2, chunks(size)) entries, of no meaning afterwards.
VECTORS = (
    row(
        "descend",
        "descent.cu",
        "inout: phi, in: grad theta, int: theta_task, in: lam, int: lam_step, "
        "in: step_size, out: partials squares, int: tasks size",
        in_turn(by_chunk("descend"), by_task("descend_squares")),
    ),
    *rows(
        "cg.cu",
        stepwise,
        cg_begin="in: b M, int: M_step, real: rtol, in: atol, out: x r p partials "
        "tolerance rho residual sigma, out int32: iterations status, int: tasks size",
        cg_length="in: Hp p shift, int: shift_step conduct, out: partials, in: rho "
        "sigma residual unit_M, inout int32: status iterations, out int32: moves, "
        "out: alpha, inout: record, int: tasks size",
        cg_move="in: alpha Hp p shift, int: shift_step, in: M, int: M_step, inout: x "
        "r, out: partials, in int32: moves, in: tolerance, inout: rho residual "
        "sigma, inout int32: status, out: beta, inout: record, int: tasks size",
    ),
    row(
        "cg_direction",
        "cg.cu",
        "in: beta sigma, in int32: status, in: r M, int: M_step, inout: p, "
        "int: tasks size",
        by_chunk("cg_direction"),
    ),
)

NORMALISATION = rows(
    "normalisation.cu",
    by_channel,
    bn_relu="in: Z gamma beta, int: param_task, out: c rho a y, "
    "int: tasks rows channels, real: eps",
    bn_relu_vjp="in: y_bar y c rho a, out: s_y_bar e q k Z_bar gamma_bar beta_bar, "
    "int: param_task tasks rows channels",
    bn_relu_jvp="in: Z_dot y c rho a gamma gamma_dot beta_dot, int: param_task, "
    "out: mu rho_dot a_dot y_dot, int: tasks rows channels",
    bn_relu_vjp_dot="in: y_bar_dot s_y_bar y c Z_dot mu rho rho_dot a a_dot e q k, "
    "out: Z_bar_dot gamma_bar_dot beta_bar_dot, "
    "int: param_task tasks rows channels",
)

OUT = ("images", "out_height", "out_width", "channels")
IMAGE = ("images", "height", "width", "channels")
OF_WINDOWS = (
    "int: images height width channels out_height out_width size_h size_w "
    "stride_h stride_w pad_h pad_w"
)
OF_POOLS = "int: images height width channels out_height out_width size_h size_w"

IMAGES = (
    row(
        "patches",
        "windows.cu",
        f"in: x, out: X, {OF_WINDOWS}",
        entrywise("patches", *OUT, "size_h", "size_w", fours="channels"),
    ),
    row(
        "patches_adjoint",
        "windows.cu",
        f"in: X_bar, out: x_bar, {OF_WINDOWS}",
        entrywise("patches_adjoint", *IMAGE, fours="channels"),
    ),
    row(
        "max_pool",
        "pooling.cu",
        f"in: x, out: y, out int32: winner, {OF_POOLS}",
        entrywise("max_pool", *OUT),
    ),
    row(
        "max_pool_jvp",
        "pooling.cu",
        f"in: x_dot, in int32: winner, out: y_dot, {OF_POOLS}",
        entrywise("max_pool_jvp", *OUT),
    ),
    row(
        "max_pool_vjp",
        "pooling.cu",
        f"in: y_bar, in int32: winner, out: x_bar, {OF_POOLS}",
        entrywise("max_pool_vjp", *IMAGE),
    ),
)

CONVOLUTION = (
    "int: tasks examples height width channels out_height out_width size_h size_w "
    "stride_h stride_w pad_h pad_w filters"
)
CONV_ROWS = {
    "conv_bn_relu": "in: x W gamma beta, int: param_task, out: c rho a y, "
    f"{CONVOLUTION}, real: eps",
    "conv_bn_relu_jvp": "in: x_dot W x W_dot y c rho a gamma gamma_dot beta_dot, "
    f"int: param_task, out: Z_dot mu rho_dot a_dot y_dot, {CONVOLUTION}",
}
CONV_TILED = {
    "conv_vjp": f"in: x Z_bar, out: W_bar, int: param_task, {CONVOLUTION}",
    "conv_vjp_dot": "in: x_dot Z_bar x Z_bar_dot, out: W_bar_dot, int: param_task, "
    f"{CONVOLUTION}",
}


def convolutions(way: str, file: str, choice, **more) -> tuple[Kernel, ...]:
    """Return the rows of a file with convolutions, by a way to multiply."""
    return (
        *(
            row(n + way, file, d, conv_rows(n + way), **more)
            for n, d in CONV_ROWS.items()
        ),
        *(
            row(n + way, file, d, conv_tiles(n + way, choice), **more)
            for n, d in CONV_TILED.items()
        ),
    )


CONVOLUTIONS = (
    *convolutions("", "conv.cu", CONV_TILES),
    *convolutions("_tf32", "conv_tensor.cu", CONV_TENSOR_TILES, **ON_TENSOR_CORES),
    *convolutions("_3xtf32", "conv_tensor.cu", CONV_TENSOR_TILES, **ON_TENSOR_CORES),
)

LOSSES = rows(
    "cross_entropy.cu",
    partial(by_task, threads=128),
    cross_entropy="in: z, in int64: labels, out: value probs z_bar hits, "
    "int: tasks rows classes",
    cross_entropy_hvp="in: probs z_dot, out: z_bar_dot, int: tasks rows classes",
)

ROWS = (*PRODUCTS, *TENSOR, *VECTORS, *NORMALISATION, *IMAGES, *CONVOLUTIONS, *LOSSES)
KERNELS: dict[str, Kernel] = {kernel.name: kernel for kernel in ROWS}
FILES = tuple(dict.fromkeys(kernel.file for kernel in ROWS))
