"""The points of all axes, each in a fresh process, in turns."""

from ..shared.child import Failed, python, threads_of
from .fits import Row, line
from .grid import Axis, Point

MOST_ERROR = 0.01  # relative: in float32 a ReLU may change its side on the way


def measure(axes: dict[str, Axis], args, tell) -> dict[str, list[Row]]:
    """Return the rows of each axis.

    A point that several axes share is measured once in a round.  Rounds go forth and
    back, so that a machine that slows down slows all sizes alike.

    Args:
        axes: The points by axis.
        args: With rounds, limit (s) and memory (bytes or None).
        tell: Called with a line about what goes on.
    """
    rows = {p: Row(p) for axis in axes.values() for p in axis.points}
    for i in range(args.rounds):
        for row in list(rows.values())[:: -1 if i % 2 else 1]:
            if row.reason is None:
                tell(f"round {i + 1} of {args.rounds}: {row.point}")
                add_round(row, list(rows.values()), args)
    return {name: [rows[p] for p in axis.points] for name, axis in axes.items()}


def add_round(row: Row, rows: list[Row], args) -> None:
    """Measure a point once more, unless its memory is likely not there."""
    row.estimate = likely_bytes(row.point, rows)
    if args.memory and row.estimate and row.estimate > args.memory:
        row.reason = f"would need about {row.estimate / 1e9:.1f} GB"
        return
    try:
        row.rounds.append(ask(row.point, args))
    except Failed as failure:
        row.reason, row.rounds = str(failure), []


def likely_bytes(point: Point, rows: list[Row]) -> float | None:
    """Return the peak that fewer inner steps let expect of an unrolled meta-step."""
    fewer = [
        row
        for row in rows
        if row.point.who == point.who
        and row.point.inner_steps < point.inner_steps
        and row.point.tasks == point.tasks
    ]
    found = line(fewer, "peak")
    return found[0] + found[1] * point.inner_steps if found else None


def ask(point: Point, args) -> dict:
    """Return what a fresh process finds out about a point.

    Raises:
        Failed: If it dies, is too slow, needs too much memory, or says so.
    """
    limits = args.limit, args.memory
    variables = threads_of(point.threads)
    child = python("benchmarks.scaling.point", [point.words()], variables, *limits)
    try:
        found = child.answer()["found"]
    finally:
        child.close()
    if found.get("error", 0) > MOST_ERROR:
        raise Failed(f"another gradient than imaml_ref's: {found['error']:.1e} away")
    return found
