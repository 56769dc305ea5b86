"""A part that is a contest on several workloads: run, shown, kept."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from ..shared.child import Failed
from ..shared.peer import JAX, OURS, RELEASED, SGEMM, TORCH, taking_part
from ..shared.workloads import Workload, gigaflop
from .budget import Budget
from .contest import Contest, Row
from .registry import CONTENDERS
from .results import Results
from .table import best, figures, summary, table

TURNS = 0.25  # share of a workload's time that is kept for the turns
FIRST = 0.5  # share of the time of a part that its first workload may take


def race(
    part: str, names, workloads: dict[str, Workload], budget, args, results: Results
) -> None:
    """Run a contest on each workload, and keep the results.

    After the first workload only the fastest of each group of peers go on.

    Args:
        part: What it is called in the results.
        names: Who takes part on the first workload.
        workloads: By name, in order.
        budget: For all of them; what one leaves, the next ones have.
        args: As ``contest.Contest`` takes them.
        results: Where the results go.
    """
    names, first = taking_part([*names, SGEMM], CONTENDERS, args), True
    for i, (name, workload) in enumerate(workloads.items()):
        share = 1 / (len(workloads) - i)
        own = Budget(budget.left * (share if i else max(share, FIRST)))
        try:
            rows = contest(workload, names, own, args)
        except Failed as failure:  # of what all are compared with
            args.tell(f"{name} is left out: {failure}")
            continue
        tell(name, workload, rows, args)
        results.add(part, name, plain(workload, rows, args))
        names, first = fastest(names, rows) if first else names, False


def contest(workload, names, budget: Budget, args) -> dict[str, Row]:
    """Run one contest in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        one = Contest(args, Path(folder), args.tell)
        return one.run(workload, names, budget, reserve=TURNS * budget.left)


def fastest(names, rows: dict[str, Row]) -> list[str]:
    """Return ours, the fastest of each other group, and the product."""
    chosen = [best(rows, group) for group in (JAX, TORCH, RELEASED)]
    stay = {row.name for row in chosen if row is not None} | {SGEMM}
    stay |= {name for name in names if CONTENDERS[name].group == OURS}
    return [name for name in names if name in stay]


def tell(name: str, workload: Workload, rows: dict[str, Row], args) -> None:
    """Print the table of a workload and its ratios."""
    work = gigaflop(workload)
    print(f"\n{name}: {workload}, {work:.1f} GFLOP, {args.dtype}")
    print(table(rows, work, args.place.device, args.dtype))
    for what, ratio in summary(rows, work, args.place.device).items():
        print(f"{what} = {ratio:.2f}", flush=True)


def plain(workload: Workload, rows: dict[str, Row], args) -> dict:
    """Return the results of a workload as plain data."""
    work, device = gigaflop(workload), args.place.device
    return {
        "sizes": asdict(workload),
        "gigaflop": work,
        "dtype": args.dtype,
        "rounds_asked": args.rounds,
        "contenders": {
            name: {"label": row.label}
            | figures(row, rows, work, device)
            | {n: a for n, a in asdict(row).items() if n != "name"}
            for name, row in rows.items()
        },
        "summary": summary(rows, work, device),
    }
