"""Figures: colours, panels, and bars of times, as all benchmarks draw them."""

from imaml_ref.runs import panels, save
from imaml_ref.runs.drawing import BLUE, GREEN, ORANGE, RED, imported

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "RED",
    "medians",
    "panels",
    "panes",
    "plain_numbers",
    "save",
]

GREY = "0.75"  # of what is void


def panes(count: int, title: str, size: tuple[float, float], above: float = 0.0):
    """Return a figure, and axes for so many panels, two beside each other.

    Args:
        count: How many.
        title: Of the whole figure.
        size: Of a panel, in inches.
        above: Height beside that of the panels, in inches.
    """
    columns = min(2, count)
    lines = -(-count // columns)
    whole = size[0] * columns, above + size[1] * lines
    drawn, axes = panels(lines, columns, title, whole)
    for unused in axes.ravel()[count:]:
        unused.set_axis_off()
    return drawn, axes.ravel()[:count]


def medians(axes, bars, form: str, fontsize: int = 8) -> None:
    """Draw times as bars on a logarithmic axis, the shortest on top.

    Args:
        axes: Where.
        bars: (label, time, colour, whether it is void) of each.
        form: How a time is written beside its bar.
        fontsize: Of what is written there.
    """
    bars = sorted(bars, key=lambda bar: -bar[1])
    for place, (_, value, colour, void) in enumerate(bars):
        axes.barh(place, value, color=GREY if void else colour, height=0.7)
        words = f" {form.format(value)}" + (" (void)" if void else "")
        axes.text(value, place, words, va="center", fontsize=fontsize)
    axes.set_yticks(range(len(bars)), [label for label, *_ in bars])
    axes.grid(False, axis="y")
    axes.set_xscale("log")
    if bars:
        axes.set_xlim(bars[-1][1] / 4, 3 * bars[0][1])
    plain_numbers(axes.xaxis)
    axes.xaxis.set_minor_formatter(imported("matplotlib.ticker").NullFormatter())


def plain_numbers(axis, **options) -> None:
    """Write 1, 2, 5, 10, … along a logarithmic axis, no powers of ten."""
    ticker = imported("matplotlib.ticker")
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5), **options))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
