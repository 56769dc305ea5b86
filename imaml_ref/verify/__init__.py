"""Every derivative and solver, compared with a witness, on this machine.

``run`` returns a list of rows: what is claimed, what it was compared with, how many
digits agree, how many are required.  The subject runs on the chosen device in the
chosen dtype; the witness always in float64 on the host.  Must not know the console, nor
share code with what it looks at.
"""

from collections.abc import Iterator

from ..compute import one_blas_thread
from . import rational
from .layers import layer_rows, loss_rows
from .meta_gradients import meta_gradient_rows
from .networks import network_rows
from .quadratics import quadratic_rows
from .rows import Row, Setting, make_setting
from .solvers import solver_rows
from .strongly_convex import strongly_convex_rows
from .table import as_json, as_table, as_text

__all__ = [
    "Row",
    "as_json",
    "as_table",
    "as_text",
    "rational",
    "rows",
    "run",
]

PARTS = (
    layer_rows,
    loss_rows,
    network_rows,
    solver_rows,
    quadratic_rows,
    strongly_convex_rows,
    meta_gradient_rows,
)


def run(
    *, quick: bool = False, device: str = "cpu", dtype: str = "float64"
) -> list[Row]:
    """Check everything, and return one row for each claim.

    Args:
        quick: Leave out the largest network and the longest inner loops.
        device: Where the subject runs, "cpu" or "cuda".
        dtype: What it runs in, "float64" or "float32"; float32 has requirements of
            its own.

    Raises:
        ValueError: If the device or the dtype has another name.
        RuntimeError: If there is no GPU where one is asked for.
    """
    return list(rows(quick=quick, device=device, dtype=dtype))


def rows(
    *, quick: bool = False, device: str = "cpu", dtype: str = "float64"
) -> Iterator[Row]:
    """Yield the rows of :func:`run` one by one, to show them as they come.

    The arguments and errors are those of ``run``, the errors when it is called.

    Raises:
        ValueError: If the device or the dtype has another name.
        RuntimeError: If there is no GPU where one is asked for.
    """
    return measured(make_setting(quick=quick, device=device, dtype=dtype))


def measured(setting: Setting) -> Iterator[Row]:
    """Yield all rows; with one BLAS thread, for the products are small."""
    for part in PARTS:
        with one_blas_thread():
            yield from part(setting)
