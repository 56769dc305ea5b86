"""Time and peak memory of a meta-step, over the sizes that it depends on.

    python benchmarks/run.py scaling

Axes (``--only``): inner steps, CG steps, tasks, filters of a block, ways × shots, and
threads; what an axis does not vary is 5-way 1-shot, 8 tasks (32 on the axis of
threads), 16 inner and 5 CG steps, 64 filters, float32, the net of the released code and
uniform random images.  Each point is measured in a fresh process, in rounds that go
forth and back; medians count.  Exponents are slopes of log time and log memory.

Along the inner steps the time of K steps, that of a meta-step without its constant part
(one with K = 0), is compared with the time of K gradients of the support losses alone.
Beside it stand PyTorch and JAX, where installed, with MAML unrolled through all inner
steps, one task at a time: measured from 4 to 64 inner steps, and beyond that
extrapolated on a straight line, never run.  A process that needs more than ``--memory``
is ended; one that is likely to is not started.

Tables are printed; ``scaling.json`` and ``scaling.png`` go to benchmarks/results/
(``--out``).
"""

import argparse
from dataclasses import asdict
from importlib.util import find_spec

from imaml_ref.compute import num_threads

from ..shared import memory, record
from ..shared.drawing import save
from .figure import figure
from .fits import FAR, Row, exponents, extrapolated
from .grid import AXES, FULL, LABELS, OURS, QUICK, UNROLLED, Axis, Point, axes
from .measure import measure

UNITS = {"seconds": ("s", 1.0), "peak": ("MB", 1e-6)}


def arguments(given=None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--quick", action="store_true", help="few and small points")
    parser.add_argument("--rounds", type=int, help="default 5, quick 1")
    parser.add_argument("--tasks", type=int, help="default 8, quick 1")
    parser.add_argument("--threads", type=int, default=num_threads())
    parser.add_argument("--unrolled", nargs="*", choices=UNROLLED, default=UNROLLED)
    parser.add_argument("--limit", type=float, default=600, help="s for a point")
    parser.add_argument("--memory", type=float, help="GB for a point")
    record.add_out(parser)
    args = parser.parse_args(given)
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.tasks = args.tasks or (1 if args.quick else 8)
    args.memory = memory.allowed(args.memory)
    return args


def at_hand(names) -> list[str]:
    """Return whose library is installed; say whose is not."""
    for name in names:
        if find_spec(name) is None:
            print(f"{LABELS[name]} is left out: {name} is not installed")
    return [name for name in names if find_spec(name)]


def table(axis: Axis, rows: list[Row]) -> str:
    """Return the medians along an axis as a table."""
    lines = [
        f"\n{axis.title:>16}{'':>20}{'s':>12}{'peak / MB':>12}{'steps / gradients':>20}"
    ]
    for row in rows:
        size = f"{axis.place(row.point):>16}"
        if axis.size == "examples":
            size = f"{f'{row.point.ways} × {row.point.shots}':>16}"
        cells = "".join(f"{cell:>12}" for cell in (shown(row, q) for q in UNITS))
        ratio = row.over_gradients
        cells += f"{ratio:>20.3f}" if ratio is not None else ""
        lines.append(f"{size}  {LABELS[row.point.who]:18}{row.reason or cells}")
    return "\n".join([*lines, *conclusions(axis, rows)])


def shown(row: Row, quantity: str) -> str:
    """Return a median in its unit."""
    value, (_, factor) = row.median(quantity), UNITS[quantity]
    return "–" if value is None else f"{factor * value:.3f}"


def conclusions(axis: Axis, rows: list[Row]):
    """Yield lines with exponents and extrapolations."""
    for quantity in UNITS:
        found = exponents(axis, rows, quantity)
        if found:
            yield (
                f"{quantity} ~ {axis.title}^{found['all']:.2f}; "
                f"between the last two ^{found['end']:.2f}"
            )
    for who, quantities in beyond(rows).items():
        for quantity, found in quantities.items():
            unit, factor = UNITS[quantity]
            first, last = found["from_inner_steps"]
            yield (
                f"{LABELS[who]}: {factor * found['value']:.1f} {unit} at {FAR} inner "
                f"steps, EXTRAPOLATED from {first} to {last}"
            )


def beyond(rows: list[Row]) -> dict[str, dict]:
    """Return what the unrolled ones would need, by who and quantity; extrapolated."""
    found = {}
    for who in UNROLLED:
        own = [row for row in rows if row.point.who == who]
        lines = {q: extrapolated(own, q) for q in UNITS}
        if any(lines.values()):
            found[who] = {q: line for q, line in lines.items() if line}
    return found


def plain(axis: Axis, rows: list[Row]) -> dict:
    """Return the results along an axis as plain data."""
    return {
        "title": axis.title,
        "exponents": {q: exponents(axis, rows, q) for q in UNITS},
        "extrapolated": beyond(rows),
        "points": [
            asdict(row)
            | {f"median_{q}": row.median(q) for q in UNITS}
            | {"inner_steps_over_gradients": row.over_gradients}
            for row in rows
        ],
    }


def main(given=None) -> None:
    args = arguments(given)
    base = Point(OURS, tasks=args.tasks, threads=args.threads)
    sizes = QUICK if args.quick else FULL
    unrolled = at_hand(args.unrolled) if "inner" in args.only else []
    chosen = axes(sizes, base, args.only, unrolled)
    rows = measure(chosen, args, record.tell)
    for name, axis in chosen.items():
        print(table(axis, rows[name]))
    found = record.circumstances("scaling", given) | {
        "threads": args.threads,
        "rounds": args.rounds,
        "axes": {name: plain(axis, rows[name]) for name, axis in chosen.items()},
    }
    record.write(args.out / "scaling.json", found)
    title = f"One meta-step, {args.threads} threads, medians of {args.rounds} rounds"
    save(figure(chosen, rows, title), args.out / "scaling.png")
