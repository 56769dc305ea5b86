"""The medians of all workloads as bars."""

from ..shared.drawing import BLUE, GREEN, ORANGE, RED, medians, panes
from ..shared.peer import OURS, SGEMM
from .contest import Row
from .registry import PEERS
from .table import rate_of_sgemm

DASHED = "dashed: its useful operations at the rate of sgemm"
ROW_INCHES, FRAME_INCHES = 0.24, 1.0


def figure(results: dict, title: str):
    """Draw a panel for each workload.

    Args:
        results: By name of the workload: (description, rows, useful 1e9 operations).
        title: Of the whole figure.
    """
    tallest = max(len(rows) for _, rows, _ in results.values())
    size = 5.6, FRAME_INCHES + ROW_INCHES * tallest
    drawn, axes = panes(len(results), f"{title}\n({DASHED})", size, above=0.4)
    for place, (name, (what, rows, gigaflop)) in zip(
        axes, results.items(), strict=True
    ):
        bars(place, f"{name}: {what}", rows, gigaflop)
    return drawn


def bars(axes, title: str, rows: dict[str, Row], gigaflop: float) -> None:
    """Draw the medians of one workload, and how long its operations would take."""
    timed = [r for r in rows.values() if r.seconds and r.name != SGEMM]
    medians(
        axes,
        [(r.label, r.median, colour(r), r.void) for r in timed],
        "{:.2f} s",
    )
    floor(axes, rows, gigaflop)
    axes.set_xlabel("seconds of a meta-step, median")
    axes.set_title(title.replace(" tasks, ", " tasks,\n"), loc="left", fontsize=9)


def floor(axes, rows: dict[str, Row], gigaflop: float) -> None:
    """Draw the time that the useful operations take at the rate of the product."""
    rate = rate_of_sgemm(rows)
    if rate:
        axes.axvline(gigaflop / rate, color="0.4", linestyle="--", linewidth=1)


def colour(row: Row) -> str:
    """Return the colour of a row's family."""
    if PEERS[row.name].group == OURS:
        return BLUE
    if PEERS[row.name].checkout == "released":
        return RED
    return ORANGE if "jax" in PEERS[row.name].needs else GREEN
