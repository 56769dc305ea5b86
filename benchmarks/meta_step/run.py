"""Time of one meta-step of iMAML, for imaml_ref and for other libraries, in one run.

    python benchmarks/run.py meta_step --released PATH --hypertorch PATH

Workloads, with a query set of the same size, λ = 2, step 0.1, float32, the net of the
released code and uniform random images:

    W1   5-way 1-shot    32 tasks    16 gradient steps     5 CG steps
    W2   5-way 5-shot    32 tasks    16 gradient steps     5 CG steps
    W3   20-way 1-shot   16 tasks    16 gradient steps     5 CG steps
    W4   5-way 1-shot    32 tasks   100 gradient steps    10 CG steps

or one of other sizes (``--ways --shots --tasks --inner-steps --cg-steps``).  Every
contender has a process of its own, the same data and the same number of threads; they
and a product of two 4096 × 4096 matrices take turns, so that a machine that slows down
slows all; medians count.  First the meta-gradients are compared task by task with those
of imaml_ref in float64: a contender that computes something else is void, and no ratio
is made of its time.

Tables are printed; ``meta_step.json`` and ``meta_step.png`` go to benchmarks/results/
(``--out``).
"""

import argparse
import signal
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from imaml_ref.compute import num_threads

from ..shared import memory, record
from ..shared.drawing import save
from ..shared.peer import SGEMM, taking_part
from ..shared.workloads import WORKLOADS, Workload, gigaflop
from .contest import Row, contest
from .figure import figure
from .registry import PEERS, REFERENCE
from .table import figures, summary, table

SIZES = ("ways", "shots", "tasks", "inner_steps", "cg_steps")
CONTENDERS = [name for name in PEERS if name != SGEMM]
CHECKOUTS = ("released", "hypertorch")
HIDDEN = ("--released", "--hypertorch", "--out")


def arguments(given=None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=num_threads())
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--released", type=Path, help="checkout of the released code")
    parser.add_argument("--hypertorch", type=Path, help="checkout of hypertorch")
    parser.add_argument("--limit", type=float, default=600, help="s for an answer")
    parser.add_argument("--memory", type=float, help="GB for a contender")
    for size in SIZES:
        parser.add_argument(f"--{size.replace('_', '-')}", type=int)
    record.add_out(parser)
    args = parser.parse_args(given)
    args.memory = memory.allowed(args.memory)
    return args


def chosen_workloads(args) -> dict[str, Workload]:
    """Return the workloads by name; one of other sizes starts from W1."""
    sizes = {s: getattr(args, s) for s in SIZES if getattr(args, s) is not None}
    if sizes and not args.workloads:
        return {"custom": replace(WORKLOADS["W1"], **sizes)}
    names = args.workloads or WORKLOADS
    return {name: replace(WORKLOADS[name], **sizes) for name in names}


def chosen_contenders(args) -> list[str]:
    """Return who takes part, imaml_ref first; say who cannot."""
    names = [REFERENCE, *(n for n in args.contenders or CONTENDERS if n != REFERENCE)]
    return taking_part(names, PEERS, args)


def plain(workload: Workload, rows: dict[str, Row]) -> dict:
    """Return the results of a workload as plain data."""
    work = gigaflop(workload)
    return {
        "sizes": asdict(workload),
        "gigaflop": work,
        "contenders": {
            name: {"label": row.label}
            | figures(row, rows, work)
            | {n: a for n, a in asdict(row).items() if n != "name"}
            for name, row in rows.items()
        },
        "summary": summary(rows, work),
    }


def tell(name: str, workload: Workload, rows: dict[str, Row], args) -> None:
    """Print the table of a workload and its ratios."""
    work = gigaflop(workload)
    print(f"\n{name}: {workload}, {work:.1f} GFLOP, {args.threads} threads")
    print(table(rows, work, args.dtype))
    for what, ratio in summary(rows, work).items():
        print(f"{what} = {ratio:.2f}")


def begun(args, given) -> dict:
    """Return the record, with what was run, where and when."""
    checkouts = {name: getattr(args, name) for name in CHECKOUTS}
    about = record.circumstances("meta_step", given, hidden=HIDDEN, **checkouts)
    return about | {
        "threads": args.threads,
        "dtype": args.dtype,
        "rounds": args.rounds,
        "workloads": {},
    }


def main(given=None) -> None:
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("ended")
    )  # not without its children
    args = arguments(given)
    names, found, results = chosen_contenders(args), begun(args, given), {}
    args.out.mkdir(parents=True, exist_ok=True)
    for name, workload in chosen_workloads(args).items():
        with tempfile.TemporaryDirectory() as folder:
            rows = contest(workload, [*names, SGEMM], args, Path(folder), record.tell)
        tell(name, workload, rows, args)
        found["workloads"][name] = plain(workload, rows)
        results[name] = str(workload), rows, gigaflop(workload)
        record.write(args.out / "meta_step.json", found)
    title = f"One meta-step, {args.threads} threads, {args.dtype}"
    save(figure(results, title), args.out / "meta_step.png")
