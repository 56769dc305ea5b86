"""The rows of a workload as a table, and the ratios that are asked for."""

import numpy as np

from ..shared.sgemm import GIGAFLOP
from ..shared.verdict import REQUIRED
from .contest import Row
from .registry import EXPERT, OURS, PEERS, REFERENCE, RELEASED, SGEMM, TORCH

HEAD = ("median / s", "best / s", "GFLOP/s", "of sgemm", "peak / MB", "times ours")
MB = 1e6


def rate_of_sgemm(rows: dict[str, Row]) -> float | None:
    """Return the rate of the product in the same run, in GFLOP/s."""
    row = rows.get(SGEMM)
    return GIGAFLOP / row.median if row and row.seconds else None


def figures(row: Row, rows: dict[str, Row], gigaflop: float) -> dict:
    """Return what the table says of a row, as plain data; None is not known."""
    if not row.seconds:
        return {}
    sgemm = rate_of_sgemm(rows)
    work = GIGAFLOP if row.name == SGEMM else gigaflop
    rate = None if row.void else work / row.median
    return {
        "seconds_median": row.median,
        "seconds_best": min(row.seconds),
        "gflop_per_second": rate,
        "share_of_sgemm_rate": rate / sgemm if rate and sgemm else None,
        "peak_megabytes": megabytes(row.peak),
        "times_imaml_ref": ratio(row, rows[REFERENCE]),
    }


def megabytes(count: int | None) -> float | None:
    """Return bytes in 1e6, None as it is."""
    return None if count is None else count / MB


def ratio(row: Row, other: Row | None) -> float | None:
    """Return the time of a row over that of another; None if one is void."""
    if other is None or not (row.counts and other.counts) or row.name == SGEMM:
        return None
    return row.median / other.median


def table(rows: dict[str, Row], gigaflop: float, dtype: str) -> str:
    """Return the rows as a table."""
    least = f"{REQUIRED[dtype][1]:g}"
    digits = f"digits, ≥ {least}"
    lines = [f"{'':44}" + "".join(f"{h:>12}" for h in (*HEAD, digits))]
    for row in rows.values():
        lines.append(line(row, figures(row, rows, gigaflop), REQUIRED[dtype][1]))
    return "\n".join(lines)


def line(row: Row, found: dict, least: float) -> str:
    """Return a row of the table."""
    if not row.seconds:
        return f"{row.label:44}  no time: {row.reason}"
    formats = ("{:.3f}", "{:.3f}", "{:.1f}", "{:.0%}", "{:.1f}", "{:.2f}")
    cells = [
        "–" if value is None else form.format(value)
        for form, value in zip(formats, found.values(), strict=True)
    ]
    if row.digits:
        share = np.mean(np.asarray(row.digits) >= least)
        cells.append(f"{np.median(row.digits):.1f}, {share:.0%}")
    ending = f"  void: {row.void}" if row.void else ""
    if row.digits_in_float64:
        ending = f"  float64: {np.median(row.digits_in_float64):.1f}" + ending
    return f"{row.label:44}" + "".join(f"{cell:>12}" for cell in cells) + ending


def best(rows: dict[str, Row], group: str) -> Row | None:
    """Return the fastest row of a group that counts, or None."""
    found = [r for r in rows.values() if PEERS[r.name].group == group and r.counts]
    return min(found, key=lambda row: row.median, default=None)


def summary(rows: dict[str, Row], gigaflop: float) -> dict[str, float]:
    """Return ratios of imaml_ref to the fastest of each group, by what they are."""
    found = {}
    for ours in rows.values():
        if PEERS[ours.name].group == OURS and ours.counts:
            found |= ratios(ours, rows, gigaflop)
    return found


def ratios(ours: Row, rows: dict[str, Row], gigaflop: float) -> dict[str, float]:
    """Return the ratios of one row of imaml_ref."""
    found = {}
    for group in (EXPERT, TORCH, RELEASED):
        peer = best(rows, group)
        if peer is None:
            continue
        over = f"{ours.label} / {named(group, peer)}"
        found[f"time, {over}"] = ours.median / peer.median
        if ours.peak is not None and peer.peak:
            found[f"peak memory, {over}"] = ours.peak / peer.peak
    sgemm = rate_of_sgemm(rows)
    if sgemm:
        share = gigaflop / ours.median / sgemm
        found[f"share of the sgemm rate, {ours.label}"] = share
    return found


def named(group: str, row: Row) -> str:
    """Return how a group and its fastest row are called in a ratio."""
    return group if row.label == group else f"best {group} ({row.label})"
