"""What every kernel is run with, here and on a card: odd sizes, nothing all zero.

Axes have different lengths, sizes fill no block, parameters lie apart in longer rows,
and what a kernel only writes is NaN before: an entry left out would stay so.
"""

from itertools import product

import numpy as np

from tests.machines import kernel_cases_conv as conv
from tests.machines import kernel_cases_images as images
from tests.machines import kernel_cases_vectors as vectors
from tests.machines.kernel_maker import Maker, each


def cases(name, dtype, seed=0):
    """Yield the arguments of a kernel, by name, one case after the other.

    Args:
        name: Of the kernel.
        dtype: Of its real arrays.
        seed: Of their entries.
    """
    make = Maker(dtype, seed)
    for case in CASES[name]:
        yield case(make)


# Products.


def operand(make, tasks, rows, cols, transposed, gap=3, entries="normal"):
    """Return a matrix per task, apart from the next, and its three strides."""
    strides = (rows * cols + gap, *((1, rows) if transposed else (cols, 1)))
    return getattr(make, entries)(tasks, rows * cols + gap), strides


def product_of(make, tasks, m, n, *, c_gap, beta=0.0, **operands):
    """Return the arguments that all products have."""
    c_row = n + c_gap
    C = (make.normal if beta else make.unwritten)(tasks, m * c_row)
    given = {"C": C, "tasks": tasks, "m": m, "n": n, "c_task": m * c_row}
    for name, (array, strides) in operands.items():
        given[name] = array
        for along, stride in zip(("task", "row", "col"), strides, strict=True):
            given[f"{name.lower()}_{along}"] = stride
    return given | {"c_row": c_row}


def bmm(make, tasks, m, n, k, transposed=(False, False), beta=0.0, c_gap=3, **entries):
    A = operand(make, tasks, m, k, transposed[0], **entries)
    B = operand(make, tasks, k, n, transposed[1], **entries)
    given = product_of(make, tasks, m, n, c_gap=c_gap, beta=beta, A=A, B=B)
    return given | {"k": k, "beta": beta}


def bmm_pair(make, tasks, m, n, k, k2, transposed=(False,) * 4, c_gap=3):
    shapes = {"A": (m, k), "B": (k, n), "D": (m, k2), "E": (k2, n)}
    operands = {
        name: operand(make, tasks, *shape, t)
        for (name, shape), t in zip(shapes.items(), transposed, strict=True)
    }
    given = product_of(make, tasks, m, n, c_gap=c_gap, **operands)
    return given | {"k": k, "k2": k2}


def row_sums(make, tasks, rows, cols):
    a, out = make.normal(tasks, rows, cols), make.unwritten(tasks, cols + 2)
    sizes = {"tasks": tasks, "rows": rows, "cols": cols}
    return {"a": a, "out": out, **sizes, "out_task": cols + 2}


def add_row(make, tasks, rows, cols):
    a, row = make.normal(tasks, rows, cols), make.normal(tasks, cols + 2)
    sizes = {"tasks": tasks, "rows": rows, "cols": cols}
    return {"a": a, "row": row, **sizes, "row_task": cols + 2}


def centre(make, tasks, rows, cols):
    a = 3 + make.normal(tasks, rows, cols)
    return {"a": a, "tasks": tasks, "rows": rows, "cols": cols}


EITHER = (False, True)
# A tile of each size; with a gap of 3 a row of C is a multiple of four.
SMALL = {"tasks": 2, "m": 21, "n": 17, "k": 150}
THIN = {"tasks": 33, "m": 20, "n": 61, "k": 75}
MIDDLE = {"tasks": 23, "m": 60, "n": 37, "k": 75}
LARGE = {"tasks": 34, "m": 100, "n": 61, "k": 37}
PRODUCTS = (SMALL, THIN, MIDDLE, LARGE)
OF_A_PAIR = [
    (False,) * 4,
    *[(True, False, True, False)] * 2,
    (False, True, False, True),
]
ROWS = [
    {"tasks": 2, "rows": 5, "cols": 3},
    {"tasks": 3, "rows": 75, "cols": 35},
]


# Batch normalisation and ReLU.


def normalised(make, tasks, rows, channels, *, reads=(), factors=(), writes=()):
    """Return activations, factors (T, C) and what is written, by name."""
    given = {"tasks": tasks, "rows": rows, "channels": channels}
    given |= {name: make.normal(tasks, rows, channels) for name in reads}
    given |= {name: make.positive(tasks, channels) for name in factors}
    for name in writes:
        shape = (rows, channels) if name in ACTIVATIONS else (channels,)
        given[name] = make.unwritten(tasks, *shape)
    if "y" in reads:
        given["y"] = np.maximum(given["y"], 0)
    return given


ACTIVATIONS = ("c", "y", "y_dot", "Z_bar", "Z_bar_dot", "s_y_bar")


def beside(make, tasks, channels, reads=(), writes=()):
    """Return parameters in rows longer than they are, and the length of a row."""
    length = channels + 5
    given = {name: make.normal(tasks, length) for name in reads}
    given |= {name: make.unwritten(tasks, length) for name in writes}
    return given | {"param_task": length}


def bn_relu(make, tasks, rows, channels):
    given = normalised(
        make, tasks, rows, channels, reads=("Z",), writes=("c", "rho", "a", "y")
    )
    parameters = beside(make, tasks, channels, ("gamma", "beta"))
    return given | parameters | {"eps": 1e-2}


def bn_relu_of_no_number(make):
    """A task whose activations are in part NaN: a divergence must be seen."""
    given = bn_relu(make, **ACTIVE[1])
    given["Z"][1, 5, 2] = np.nan
    return given


def bn_relu_vjp(make, tasks, rows, channels):
    writes = ("s_y_bar", "e", "q", "k", "Z_bar")
    given = normalised(
        make,
        *(tasks, rows, channels),
        reads=("y_bar", "y", "c"),
        factors=("rho", "a"),
        writes=writes,
    )
    return given | beside(make, tasks, channels, (), ("gamma_bar", "beta_bar"))


def bn_relu_jvp(make, tasks, rows, channels):
    given = normalised(
        make,
        *(tasks, rows, channels),
        reads=("Z_dot", "y", "c"),
        factors=("rho", "a"),
        writes=("mu", "rho_dot", "a_dot", "y_dot"),
    )
    reads = ("gamma", "gamma_dot", "beta_dot")
    return given | beside(make, tasks, channels, reads)


def bn_relu_vjp_dot(make, tasks, rows, channels):
    given = normalised(
        make,
        *(tasks, rows, channels),
        reads=("y_bar_dot", "s_y_bar", "y", "c", "Z_dot"),
        factors=("mu", "rho", "rho_dot", "a", "a_dot", "e", "q", "k"),
        writes=("Z_bar_dot",),
    )
    writes = ("gamma_bar_dot", "beta_bar_dot")
    return given | beside(make, tasks, channels, (), writes)


def in_place(function, **same):
    """Return a case whose first array of a pair is the second one too."""

    def case(make):
        given = function(make, **ACTIVE[1])
        return given | {written: given[read] for written, read in same.items()}

    return case


ACTIVE = [
    {"tasks": 2, "rows": 7, "channels": 5},
    {"tasks": 3, "rows": 75, "channels": 19},
]

ALL_WAYS = [SMALL | {"transposed": t} for t in product(EITHER, EITHER)]
TWO_WAYS = [p | {"transposed": (p is LARGE, p is MIDDLE)} for p in PRODUCTS[1:]]
ADDED = [p | {"beta": 0.5} for p in PRODUCTS]
# Sums that grow: what is rounded to one side adds up.
LONG = {"tasks": 1, "m": 5, "n": 7, "k": 60_000, "entries": "positive"}
UNEVEN = [SMALL | {"c_gap": 2}, {"tasks": 1, "m": 1, "n": 1, "k": 1}]
PAIRS = [
    p | {"transposed": t, "k2": 41} for p, t in zip(PRODUCTS, OF_A_PAIR, strict=True)
]

ROUNDED = ("tf32", "3xtf32")

CASES = {
    "bmm": each(bmm, [*ALL_WAYS, *TWO_WAYS, *ADDED, *UNEVEN]),
    "bmm_pair": each(bmm_pair, PAIRS),
    **{
        f"bmm_{way}": each(bmm, [*TWO_WAYS, ADDED[0], *UNEVEN, LONG]) for way in ROUNDED
    },
    **{f"bmm_pair_{way}": each(bmm_pair, PAIRS) for way in ROUNDED},
    "row_sums": each(row_sums, ROWS),
    "add_row": each(add_row, ROWS),
    "centre": each(centre, ROWS),
    "bn_relu": [
        *each(bn_relu, ACTIVE),
        in_place(bn_relu, c="Z"),
        bn_relu_of_no_number,
    ],
    "bn_relu_vjp": [
        *each(bn_relu_vjp, ACTIVE),
        in_place(bn_relu_vjp, s_y_bar="y_bar"),
    ],
    "bn_relu_jvp": each(bn_relu_jvp, ACTIVE),
    "bn_relu_vjp_dot": [
        *each(bn_relu_vjp_dot, ACTIVE),
        in_place(bn_relu_vjp_dot, Z_bar_dot="y_bar_dot"),
    ],
    **images.CASES,
    **conv.CASES,
    **vectors.CASES,
}
