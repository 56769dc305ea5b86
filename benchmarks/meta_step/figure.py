"""The medians of all workloads as bars."""

from imaml_ref.runs.drawing import BLUE, GREEN, ORANGE, RED, imported, panels

from .contest import Row
from .registry import OURS, PEERS, SGEMM
from .table import rate_of_sgemm

GREY = "0.75"
DASHED = "dashed: its useful operations at the rate of sgemm"
ROW_INCHES, FRAME_INCHES = 0.24, 1.0


def figure(results: dict, title: str):
    """Draw a panel for each workload.

    Args:
        results: By name of the workload: (description, rows, useful 1e9 operations).
        title: Of the whole figure.
    """
    columns = min(2, len(results))
    lines = -(-len(results) // columns)
    tallest = max(len(rows) for _, rows, _ in results.values())
    size = (5.6 * columns, 0.4 + lines * (FRAME_INCHES + ROW_INCHES * tallest))
    drawn, axes = panels(lines, columns, f"{title}\n({DASHED})", size)
    for unused in axes.ravel()[len(results) :]:
        unused.set_axis_off()
    for place, (name, (what, rows, gigaflop)) in zip(
        axes.ravel(), results.items(), strict=False
    ):
        bars(place, f"{name}: {what}", rows, gigaflop)
    return drawn


def bars(axes, title: str, rows: dict[str, Row], gigaflop: float) -> None:
    """Draw the medians of one workload, the fastest on top."""
    ticker = imported("matplotlib.ticker")
    timed = [r for r in rows.values() if r.seconds and r.name != SGEMM]
    timed.sort(key=lambda row: row.median, reverse=True)
    for place, row in enumerate(timed):
        axes.barh(place, row.median, color=colour(row), height=0.7)
        words = f" {row.median:.2f} s" + (" (void)" if row.void else "")
        axes.text(row.median, place, words, va="center", fontsize=8)
    floor(axes, rows, gigaflop)
    axes.set_yticks(range(len(timed)), [row.label for row in timed])
    axes.grid(False, axis="y")
    axes.set_xscale("log")
    if timed:
        axes.set_xlim(timed[-1].median / 4, 3 * timed[0].median)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlabel("seconds of a meta-step, median")
    axes.set_title(title.replace(" tasks, ", " tasks,\n"), loc="left", fontsize=9)


def floor(axes, rows: dict[str, Row], gigaflop: float) -> None:
    """Draw the time that the useful operations take at the rate of the product."""
    rate = rate_of_sgemm(rows)
    if rate:
        axes.axvline(gigaflop / rate, color="0.4", linestyle="--", linewidth=1)


def colour(row: Row) -> str:
    """Return the colour of a row's family; grey is void."""
    if row.void:
        return GREY
    if PEERS[row.name].group == OURS:
        return BLUE
    if PEERS[row.name].checkout == "released":
        return RED
    return ORANGE if "jax" in PEERS[row.name].needs else GREEN
