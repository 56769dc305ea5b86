"""Time and peak memory along every axis, on logarithmic scales."""

from ..shared.drawing import BLUE, GREEN, ORANGE, panels, plain_numbers
from .fits import FAR, Row, extrapolated
from .grid import JAX, LABELS, OURS, TORCH, Axis

LOOKS = {OURS: (BLUE, "o"), TORCH: (GREEN, "s"), JAX: (ORANGE, "^")}
QUANTITIES = {"seconds": ("s", 1.0), "peak": ("peak / MB", 1e-6)}
PANEL = 2.9, 2.6  # inches
LEAST_RANGE = 10.0  # of the vertical axis, so that what is flat looks flat


def figure(axes: dict[str, Axis], rows: dict[str, list[Row]], title: str):
    """Draw a column for each axis, time above memory."""
    size = max(2, len(axes)) * PANEL[0], 2 * PANEL[1] + 0.5
    drawn, places = panels(2, len(axes), title, size)
    for column, (name, axis) in enumerate(axes.items()):
        for place, quantity in zip(places[:, column], QUANTITIES, strict=True):
            panel(place, axis, rows[name], quantity)
            place.set_xlabel(axis.title)
    for place, (label, _) in zip(places[:, 0], QUANTITIES.values(), strict=True):
        place.set_ylabel(label)
    handles, labels = places[0, 0].get_legend_handles_labels()
    if len(labels) > 1:
        place = {"loc": "outside lower left", "frameon": False}
        drawn.legend(handles, labels, **place, ncols=min(5, 2 * len(axes)))
    return drawn


def panel(place, axis: Axis, rows: list[Row], quantity: str) -> None:
    """Draw one quantity along one axis, of all who were measured."""
    factor = QUANTITIES[quantity][1]
    place.set_xscale("log")
    place.set_yscale("log")
    for who in LOOKS:
        own = [r for r in rows if r.point.who == who and r.median(quantity)]
        if own:
            colour, marker = LOOKS[who]
            x = [axis.place(row.point) for row in own]
            y = [factor * (row.median(quantity) or 0) for row in own]
            place.plot(x, y, color=colour, marker=marker, label=LABELS[who], ms=4)
            if who != OURS:
                beyond(place, own, quantity)
    ticks = sorted({axis.place(r.point) for r in rows if r.point.who == OURS})
    place.set_xticks(ticks, [str(tick) for tick in ticks])
    plain_numbers(place.yaxis, numticks=9)
    place.minorticks_off()
    low, high = place.get_ylim()
    wider = max(1.0, (LEAST_RANGE / (high / low)) ** 0.5)
    place.set_ylim(low / wider, high * wider)


def beyond(place, own: list[Row], quantity: str) -> None:
    """Draw what is extrapolated: dashed, with an open marker at its end."""
    found = extrapolated(own, quantity)
    if found is None:
        return
    factor, (colour, marker) = QUANTITIES[quantity][1], LOOKS[own[0].point.who]
    x = [found["from_inner_steps"][1], FAR]
    y = [factor * (found["constant"] + found["per_inner_step"] * k) for k in x]
    label = f"{LABELS[own[0].point.who]}, extrapolated"
    place.plot(x, y, color=colour, linestyle="--", linewidth=1, label=label)
    place.plot(x[1:], y[1:], color=colour, marker=marker, ms=5, mfc="white")
