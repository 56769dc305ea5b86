"""All rows, from the layers to the meta-gradients."""

from collections.abc import Iterator

from ..compute import one_blas_thread
from .layers import layer_rows, loss_rows
from .meta_gradients import meta_gradient_rows
from .networks import network_rows
from .quadratics import quadratic_rows
from .rows import Row, Setting, make_setting
from .solvers import solver_rows
from .strongly_convex import strongly_convex_rows
from .variants import variant_rows

PARTS = (
    layer_rows,
    loss_rows,
    network_rows,
    solver_rows,
    quadratic_rows,
    strongly_convex_rows,
    meta_gradient_rows,
    variant_rows,
)


def run(
    *, quick: bool = False, device: str = "cpu", dtype: str = "float64"
) -> list[Row]:
    """Check everything, and return one row for each claim.

    Args:
        quick: Leave out the largest network and the longest inner loops.
        device: Where the subject runs, "cpu" or "cuda".
        dtype: What it runs in, "float64" or "float32".

    Raises:
        ValueError: If the device or the dtype has another name.
        RuntimeError: If there is no GPU where one is asked for.
    """
    return list(rows(quick=quick, device=device, dtype=dtype))


def rows(
    *, quick: bool = False, device: str = "cpu", dtype: str = "float64"
) -> Iterator[Row]:
    """Yield the rows of :func:`run` one by one, to show them as they come.

    Args:
        quick: Leave out the largest network and the longest inner loops.
        device: Where the subject runs, "cpu" or "cuda".
        dtype: What it runs in, "float64" or "float32"; float32 has requirements of
            its own.

    Raises:
        ValueError: When it is called, if the device or the dtype has another name.
        RuntimeError: Then too, if there is no GPU where one is asked for.
    """
    return measured(make_setting(quick=quick, device=device, dtype=dtype))


def measured(setting: Setting) -> Iterator[Row]:
    """Yield all rows; with one BLAS thread, for the products are small."""
    for part in PARTS:
        with one_blas_thread():
            yield from part(setting)
