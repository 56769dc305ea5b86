"""What the medians say: exponents, the cost of an inner step, straight lines."""

from dataclasses import dataclass, field

import numpy as np

from .grid import OURS, Axis, Point

FAR = 1000  # inner steps to which the unrolled ones are extrapolated


@dataclass
class Row:
    """What was measured at a point.

    Args:
        point: Where.
        rounds: What each round found: seconds, peak, and what else there is.
        reason: Why it was given up, or None.
        estimate: Bytes it was expected to need when it was given up unmeasured.
    """

    point: Point
    rounds: list[dict] = field(default_factory=list)
    reason: str | None = None
    estimate: float | None = None

    def median(self, name: str) -> float | None:
        """Return the median of a quantity over the rounds, None if it is not known."""
        values = [found[name] for found in self.rounds if found.get(name) is not None]
        return float(np.median(values)) if values else None

    @property
    def over_gradients(self) -> float | None:
        """Seconds of K inner steps over those of K gradients, by rounds, the median."""
        steps = self.point.inner_steps
        ratios = [
            (found["seconds"] - found["constant"]) / (steps * found["gradient"])
            for found in self.rounds
            if "constant" in found
        ]
        return float(np.median(ratios)) if ratios else None


def exponents(axis: Axis, rows: list[Row], name: str) -> dict[str, float]:
    """Return the slope of log quantity over log size: of all points, of the end."""
    known = [
        (axis.place(row.point), row.median(name))
        for row in rows
        if row.point.who == OURS and row.median(name)
    ]
    if len(known) < 2 or known[0][0] == known[-1][0]:
        return {}
    x, y = np.log(np.array(sorted(known)).T)
    last = (y[-1] - y[-2]) / (x[-1] - x[-2])
    return {"all": float(np.polyfit(x, y, 1)[0]), "end": float(last)}


def line(rows: list[Row], name: str) -> tuple[float, float] | None:
    """Return (constant, per inner step) of a quantity, fitted to its medians."""
    known = [
        (row.point.inner_steps, row.median(name)) for row in rows if row.median(name)
    ]
    if len(known) < 2:
        return None
    steps, values = np.array(known).T
    # Relative distances: the time of few steps is not less certain than that of many.
    a = np.stack([np.ones_like(steps), steps], 1) / values[:, None]
    constant, slope = np.linalg.lstsq(a, np.ones(len(steps)), rcond=None)[0]
    return float(constant), float(slope)


def extrapolated(rows: list[Row], name: str) -> dict | None:
    """Return a quantity at ``FAR`` inner steps, on a line through its medians."""
    found = line(rows, name)
    if found is None:
        return None
    constant, slope = found
    measured = [row.point.inner_steps for row in rows if row.median(name)]
    return {
        "extrapolated": True,
        "from_inner_steps": [min(measured), max(measured)],
        "constant": constant,
        "per_inner_step": slope,
        "at": FAR,
        "value": constant + slope * FAR,
    }
