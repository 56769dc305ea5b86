"""Where the time of a meta-step goes, by block and kind of work, on both paths.

    python benchmarks/run.py step_profile

"before" is the plain path, the layers one operation each; "after" the fused one.  One
thread; W1 of meta_step by default (``--workload``).  Watched on the plain path are
the methods of the layers and, inside of convolutions, patches and products; on the
fused path every call of every program; on both what is around the sweeps.  What
watching costs is measured and subtracted, and the sum of the parts is compared with the
time of meta-steps that nobody watches, which take turns with the watched ones.

The floor are the products of the fused path alone, in sequence and hot, beside the rate
of a product of two 4096 × 4096 matrices in the same rounds.

Tables are printed; ``profile.json`` and ``profile.png`` go to benchmarks/results/
(``--out``).
"""

import argparse
from dataclasses import replace
from time import perf_counter

import numpy as np

import imaml_ref as ir
from imaml_ref.compute import one_blas_thread

from ..shared import record, sgemm
from ..shared.drawing import save
from ..shared.problem import Problem
from ..shared.workloads import WORKLOADS, draw, gigaflop
from .clock import measured_cost
from .figure import figure
from .floor import floor
from .fused import measured_cost_of_call
from .kinds import KINDS, PLACES
from .paths import AFTER, BEFORE, Watch, paths

OUTSIDE = "outside"
SHOWN = 0.002  # of the meta-step before: smaller blocks are not drawn


def arguments(given=None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", choices=WORKLOADS, default="W1")
    parser.add_argument("--quick", action="store_true", help="one task, few steps")
    parser.add_argument("--rounds", type=int, default=7)
    record.add_out(parser)
    return parser.parse_args(given)


def take_rounds(both: dict, problem: Problem, args) -> list[float]:
    """Fill the times and the watches of both paths; return the seconds of sgemm."""
    cost, cost_of_call, found = measured_cost(), measured_cost_of_call(), []
    multiply = sgemm.build(problem).step
    for i in range(args.rounds):
        record.tell(f"round {i + 1} of {args.rounds}")
        if not args.quick:
            with one_blas_thread():
                start = perf_counter()
                multiply()
                found.append(perf_counter() - start)
        for path in list(both.values())[:: -1 if i % 2 else 1]:
            path.time()
            path.watch(cost, cost_of_call)
    return found


def by_block(watch: Watch) -> dict[str, dict[str, float]]:
    """Return seconds by block and kind, in the order of the chain."""
    names = {label.block for label in watch.parts} - {""}
    chain = sorted(names, key=lambda n: (n in PLACES, not n.startswith("block"), n))
    return {
        name or OUTSIDE: {
            label.kind: seconds
            for label, seconds in watch.parts.items()
            if label.block == name
        }
        for name in [*chain, ""]
    }


def by_kind(watch: Watch) -> dict[str, float]:
    """Return seconds by kind."""
    found = dict.fromkeys(KINDS, 0.0)
    for label, seconds in watch.parts.items():
        found[label.kind] += seconds
    return found


def table(path, name: str) -> str:
    """Return a table of one path: ms by block and kind."""
    watch, head = path.typical, ["ms of a meta-step", *KINDS, "sum"]
    rows = by_block(watch) | {"sum": by_kind(watch)}
    lines = [f"\n{name}: {1e3 * path.median:.1f} ms, not watched"]
    lines.append(f"{head[0]:20}" + "".join(f"{cell:>20}" for cell in head[1:]))
    for block, found in rows.items():
        cells = [found.get(kind, 0.0) for kind in KINDS]
        shown = (f"{1e3 * s:>20.1f}" for s in [*cells, sum(cells)])
        lines.append(f"{block:20}" + "".join(shown))
    share = (f"{s / watch.total:>20.1%}" for s in by_kind(watch).values())
    lines.append(f"{'share':20}" + "".join(share))
    lines.append(
        f"the parts add up to {watch.total / path.median:.1%} of the meta-step that "
        f"nobody watched: {1e3 * (path.median - watch.total):+.1f} ms unaccounted for; "
        f"watching cost {1e3 * watch.watching:.1f} ms, subtracted"
    )
    return "\n".join(lines)


def limits(after, found: dict, work: float, rate: float | None) -> dict[str, float]:
    """Return rates in GFLOP/s and shares of the fused meta-step, by what they are."""
    limit = {
        "meta-step, useful operations": work / after.median,
        "products in sequence": found["gigaflop"] / found["in_sequence"],
        "products hot": found["gigaflop"] / found["hot"],
        "products in sequence, share of the meta-step": found["in_sequence"]
        / after.median,
    }
    if rate:
        limit |= {
            "sgemm": rate,
            "meta-step, share of the sgemm rate": work / after.median / rate,
            "products in sequence alone, useful, share of the sgemm rate": work
            / found["in_sequence"]
            / rate,
        }
    return limit


def said(limit: dict, found: dict, after) -> str:
    """Return what the floor says, in words."""
    lines = [
        "",
        f"{found['products']} products of {found['gigaflop']:.2f} GFLOP alone take "
        f"{1e3 * found['in_sequence']:.1f} ms in sequence, {1e3 * found['hot']:.1f} ms "
        f"hot",
        f"{after.programs.num_calls} calls of programs; starting as many takes "
        f"about {1e3 * found['starting_calls']:.1f} ms",
    ]
    lines += [
        f"{name}: {value:.1%}" if "share" in name else f"{name}: {value:.1f} GFLOP/s"
        for name, value in limit.items()
    ]
    return "\n".join(lines)


def plain(path) -> dict:
    """Return what is known of a path as plain data."""
    watch = path.typical
    return {
        "seconds_median": path.median,
        "seconds": path.seconds,
        "seconds_watched": watch.whole,
        "seconds_of_watching": watch.watching,
        "seconds_of_parts": watch.total,
        "unaccounted": path.median - watch.total,
        "kinds": by_kind(watch),
        "blocks": by_block(watch),
    }


def drawn(both: dict, found: dict, work: float, rate: float | None, title: str):
    """Return the figure."""
    by_path = {name: by_block(path.typical) for name, path in both.items()}
    least = SHOWN * both[BEFORE].typical.total
    blocks = {
        f"{block}, {name}": found_in.get(block, {})
        for block in dict.fromkeys([*by_path[BEFORE], *by_path[AFTER]])
        if any(sum(b.get(block, {}).values()) >= least for b in by_path.values())
        for name, found_in in by_path.items()
    }
    floors = {
        "products in sequence": found["in_sequence"],
        "products hot": found["hot"],
    }
    floors |= {"useful, at sgemm's rate": work / rate} if rate else {}
    totals = {name: by_kind(path.typical) for name, path in both.items()}
    return figure(totals, blocks, floors, title)


def chosen(args):
    """Return the workload."""
    workload = WORKLOADS[args.workload]
    if args.quick:
        return replace(workload, tasks=1, inner_steps=3, cg_steps=2)
    return workload


def main(given=None) -> None:
    args = arguments(given)
    workload = chosen(args)
    ir.set_num_threads(1)
    problem, work = draw(workload, threads=1), gigaflop(workload)
    both = paths(problem)
    multiplied = take_rounds(both, problem, args)
    with one_blas_thread():
        found = floor(both[AFTER].programs)
    rate = sgemm.GIGAFLOP / float(np.median(multiplied)) if multiplied else None
    limit = limits(both[AFTER], found, work, rate)
    print(f"{args.workload}: {workload}, {work:.1f} GFLOP useful, one thread, float32")
    for name, path in both.items():
        print(table(path, name))
    print(said(limit, found, both[AFTER]))
    known = record.circumstances("step_profile", given) | {
        "workload": str(workload),
        "rounds": args.rounds,
        "gigaflop_useful": work,
        "paths": {name: plain(path) for name, path in both.items()},
        "floor": found,
        "limits": limit,
    }
    record.write(args.out / "profile.json", known)
    title = f"{args.workload}: {workload}"
    save(drawn(both, found, work, rate, title), args.out / "profile.png")
