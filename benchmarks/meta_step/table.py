"""The rows of a workload as a table, and the ratios that are asked for."""

from ..shared import table as shared
from ..shared.peer import OURS, RELEASED, SGEMM, TORCH
from ..shared.sgemm import GIGAFLOP
from ..shared.verdict import REQUIRED
from .contest import Row
from .registry import EXPERT, PEERS, REFERENCE

COLUMNS = {
    "median / s": "{:.3f}",
    "best / s": "{:.3f}",
    "GFLOP/s": "{:.1f}",
    "of sgemm": "{:.0%}",
    "peak / MB": "{:.1f}",
    "times ours": "{:.2f}",
}
MB, WIDTH = 1e6, 44


def rate_of_sgemm(rows: dict[str, Row]) -> float | None:
    """Return the rate of the product in the same run, in GFLOP/s."""
    return shared.rate_of_sgemm(rows, GIGAFLOP)


def figures(row: Row, rows: dict[str, Row], gigaflop: float) -> dict:
    """Return what the table says of a row, as plain data; None is not known."""
    if not row.seconds:
        return {}
    work = GIGAFLOP if row.name == SGEMM else gigaflop
    return shared.rates(row, work, rate_of_sgemm(rows)) | {
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
    least = REQUIRED[dtype][1]
    lines = [shared.head(WIDTH, COLUMNS, least)]
    for row in rows.values():
        found = figures(row, rows, gigaflop).values()
        cells = zip(found, COLUMNS.values(), strict=False)
        lines.append(shared.line(row, WIDTH, cells, least))
    return "\n".join(lines)


def best(rows: dict[str, Row], group: str) -> Row | None:
    """Return the fastest row of a group that counts, or None."""
    return shared.fastest(
        rows, lambda row: row.counts and PEERS[row.name].group == group
    )


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
