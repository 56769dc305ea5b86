"""Stacked bars: where the time of a meta-step goes, before and after."""

from ..shared.drawing import BLUE, GREEN, ORANGE, RED, panels
from .kinds import ENTRIES, KINDS, LOSS, NORM, PATCHES, PRODUCTS, REST, VECTORS

COLOURS = {
    PRODUCTS: BLUE,
    PATCHES: ORANGE,
    NORM: GREEN,
    ENTRIES: "#e69f00",
    LOSS: RED,
    VECTORS: "#cc79a7",
    REST: "0.6",
}


def figure(totals: dict, blocks: dict, floors: dict[str, float], title: str):
    """Draw the whole meta-step beside its blocks.

    Args:
        totals: By path: seconds by kind.
        blocks: By "block, path": seconds by kind.
        floors: Seconds by what is below the meta-step: bars in one colour.
        title: Of the whole figure.
    """
    drawn, ((left, right),) = panels(1, 2, title, (10.5, 0.9 + 0.27 * len(blocks)))
    bars(left, totals)
    for i, seconds in enumerate(floors.values()):
        place = -1 - i
        left.barh(place, seconds, color=BLUE, alpha=0.45, height=0.7)
        left.text(seconds, place, f" {seconds:.3f} s", va="center", fontsize=8)
    names = [*totals, *floors]
    ticks = [*range(len(totals) - 1, -1, -1), *range(-1, -1 - len(floors), -1)]
    left.set_yticks(ticks, names)
    bars(right, blocks)
    right.set_yticks(range(len(blocks) - 1, -1, -1), list(blocks))
    handles, labels = left.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower left", ncols=7, frameon=False)
    return drawn


def bars(axes, rows: dict[str, dict[str, float]]) -> None:
    """Draw a stacked bar for each row, the first on top."""
    for i, found in enumerate(rows.values()):
        place, start = len(rows) - 1 - i, 0.0
        for kind in KINDS:
            seconds = max(0.0, found.get(kind, 0.0))
            style = {"color": COLOURS[kind], "height": 0.7}
            label = kind if i == 0 else None
            axes.barh(place, seconds, left=start, label=label, **style)
            start += seconds
        axes.text(start, place, f" {start:.3f} s", va="center", fontsize=8)
    axes.grid(False, axis="y")
    axes.margins(x=0.13)
    axes.set_xlabel("seconds of a meta-step, one thread")
