"""Rows of contenders as lines of a table."""

import numpy as np

from .peer import SGEMM
from .timed import Timed


def rate_of_sgemm(rows: dict[str, Timed], gigaflop: float) -> float | None:
    """Return the rate of the product in the same run, in GFLOP/s.

    Args:
        rows: By name.
        gigaflop: Operations of the product, in 1e9.
    """
    row = rows.get(SGEMM)
    return gigaflop / row.median if row and row.seconds else None


def rates(row: Timed, work: float, sgemm: float | None) -> dict[str, float | None]:
    """Return median, best, rate of a row, and its share of the product's rate.

    Args:
        row: One that was timed.
        work: Its useful operations, in 1e9.
        sgemm: The rate of the product, if it is known.
    """
    rate = None if row.void else work / row.median
    return {
        "seconds_median": row.median,
        "seconds_best": min(row.seconds),
        "gflop_per_second": rate,
        "share_of_sgemm_rate": rate / sgemm if rate and sgemm else None,
    }


def head(width: int, names, least: float) -> str:
    """Return the first line."""
    cells = [*names, f"digits, ≥ {least:g}"]
    return " " * width + "".join(f"{cell:>12}" for cell in cells)


def line(row: Timed, width: int, cells, least: float) -> str:
    """Return the line of a row: its cells, its digits, and what else is to be said.

    Args:
        row: One of the rows.
        width: Of its label.
        cells: (value, format) of each; a value of None is not known.
        least: Digits that a task should have.
    """
    if not row.seconds:
        return f"{row.label:{width}}  no time: {row.reason}"
    shown = ["–" if value is None else form.format(value) for value, form in cells]
    if row.digits:
        share = np.mean(np.asarray(row.digits) >= least)
        shown.append(f"{np.median(row.digits):.1f}, {share:.0%}")
    ending = f"  void: {row.void}" if row.void else ""
    if row.digits_in_float64:
        ending = f"  float64: {np.median(row.digits_in_float64):.1f}" + ending
    return f"{row.label:{width}}" + "".join(f"{cell:>12}" for cell in shown) + ending


def fastest(rows, counts) -> Timed | None:
    """Return the fastest of the rows that count, or None."""
    found = [row for row in rows.values() if counts(row)]
    return min(found, key=lambda row: row.median, default=None)
