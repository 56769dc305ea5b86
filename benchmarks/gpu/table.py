"""The rows of a workload as a table, and the ratios that are asked for.

Rows in TF32 stand beside the others, and enter no ratio.
"""

import numpy as np

from ..meta_step.registry import OURS, RELEASED
from ..shared.verdict import REQUIRED
from .contest import Row
from .registry import CONTENDERS, JAX, SGEMM, TORCH
from .sgemm import gigaflop as of_sgemm

HEAD = ("median / ms", "best / ms", "TFLOP/s", "of sgemm", "times best", "first / s")
WIDTH = 42


def best(rows: dict[str, Row], group: str) -> Row | None:
    """Return the fastest row of a group in float32 that counts, or None."""
    found = [
        r for r in rows.values() if enters(r) and CONTENDERS[r.name].group == group
    ]
    return min(found, key=lambda row: row.median, default=None)


def enters(row: Row) -> bool:
    """Whether a row may enter a ratio."""
    return row.counts and CONTENDERS[row.name].twin is None


def rate_of_sgemm(rows: dict[str, Row], device: str) -> float | None:
    """Return the rate of the product in the same run, in GFLOP/s."""
    row = rows.get(SGEMM)
    return of_sgemm(device) / row.median if row and row.seconds else None


def figures(row: Row, rows: dict[str, Row], gigaflop: float, device: str) -> dict:
    """Return what the table says of a row, as plain data; None is not known."""
    if not row.seconds:
        return {}
    sgemm, ours = rate_of_sgemm(rows, device), best(rows, OURS)
    work = of_sgemm(device) if row.name == SGEMM else gigaflop
    rate = None if row.void else work / row.median
    comparable = ours and enters(row) and row.name != SGEMM
    return {
        "seconds_median": row.median,
        "seconds_best": min(row.seconds),
        "gflop_per_second": rate,
        "share_of_sgemm_rate": rate / sgemm if rate and sgemm else None,
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
    heads = (*HEAD, f"digits, ≥ {least:g}")
    lines = [" " * WIDTH + "".join(f"{h:>12}" for h in heads)]
    for row in rows.values():
        lines.append(line(row, figures(row, rows, gigaflop, device), least))
    return "\n".join(lines)


def line(row: Row, found: dict, least: float) -> str:
    """Return a row of the table."""
    if not row.seconds:
        return f"{row.label:{WIDTH}}  no time: {row.reason}"
    median, fastest, rate, share, times = found.values()
    cells = [f"{1e3 * median:.3f}", f"{1e3 * fastest:.3f}"]
    cells += ["–" if rate is None else f"{rate / 1e3:.3f}"]
    cells += ["–" if share is None else f"{share:.0%}"]
    cells += ["–" if times is None else f"{times:.2f}"]
    cells += ["–" if row.preparation is None else f"{row.preparation:.0f}"]
    if row.digits:
        enough = np.mean(np.asarray(row.digits) >= least)
        cells.append(f"{np.median(row.digits):.1f}, {enough:.0%}")
    ending = f"  void: {row.void}" if row.void else ""
    if row.digits_in_float64:
        ending = f"  float64: {np.median(row.digits_in_float64):.1f}" + ending
    return f"{row.label:{WIDTH}}" + "".join(f"{cell:>12}" for cell in cells) + ending
