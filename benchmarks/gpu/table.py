"""The rows of a workload as a table, and the ratios that are asked for.

Rows in TF32 stand beside the others, and enter no ratio.
"""

from ..shared import table as shared
from ..shared.peer import JAX, OURS, RELEASED, SGEMM, TORCH
from ..shared.verdict import REQUIRED
from .contest import Row
from .registry import CONTENDERS
from .sgemm import gigaflop as of_sgemm

# What a column is called, times what it is in, and its format.
COLUMNS = {
    "median / ms": (1e3, "{:.3f}"),
    "best / ms": (1e3, "{:.3f}"),
    "TFLOP/s": (1e-3, "{:.3f}"),
    "of sgemm": (1, "{:.0%}"),
    "times best": (1, "{:.2f}"),
    "first / s": (1, "{:.0f}"),
}
WIDTH = 42


def best(rows: dict[str, Row], group: str) -> Row | None:
    """Return the fastest row of a group in float32 that counts, or None."""
    return shared.fastest(
        rows, lambda row: enters(row) and CONTENDERS[row.name].group == group
    )


def enters(row: Row) -> bool:
    """Whether a row may enter a ratio."""
    return row.counts and CONTENDERS[row.name].twin is None


def rate_of_sgemm(rows: dict[str, Row], device: str) -> float | None:
    """Return the rate of the product in the same run, in GFLOP/s."""
    return shared.rate_of_sgemm(rows, of_sgemm(device))


def figures(row: Row, rows: dict[str, Row], gigaflop: float, device: str) -> dict:
    """Return what the table says of a row, as plain data; None is not known."""
    if not row.seconds:
        return {}
    ours = best(rows, OURS)
    work = of_sgemm(device) if row.name == SGEMM else gigaflop
    comparable = ours and enters(row) and row.name != SGEMM
    return shared.rates(row, work, rate_of_sgemm(rows, device)) | {
        "times_best_stage": row.median / ours.median if comparable else None,
    }


def summary(rows: dict[str, Row], gigaflop: float, device: str) -> dict[str, float]:
    """Return how many times as long the fastest of each group takes as ours."""
    ours, sgemm = best(rows, OURS), rate_of_sgemm(rows, device)
    if ours is None:
        return {}
    found = {}
    for group in (RELEASED, JAX, TORCH):
        peer = best(rows, group)
        if peer is not None:
            name = f"time, {peer.label} / {ours.label}"
            found[name] = peer.median / ours.median
    if sgemm:
        share = gigaflop / ours.median / sgemm
        found[f"share of the sgemm rate, {ours.label}"] = share
    return found


def table(rows: dict[str, Row], gigaflop: float, device: str, dtype: str) -> str:
    """Return the rows as a table."""
    least = REQUIRED[dtype][1]
    lines = [shared.head(WIDTH, COLUMNS, least)]
    for row in rows.values():
        values = *figures(row, rows, gigaflop, device).values(), row.preparation
        columns = zip(values, COLUMNS.values(), strict=False)
        cells = [(None if v is None else f * v, form) for v, (f, form) in columns]
        lines.append(shared.line(row, WIDTH, cells, least))
    return "\n".join(lines)
