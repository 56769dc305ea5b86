"""Peak memory of an inner loop and of a meta-gradient, over the number of inner steps.

    python benchmarks/run.py memory

The implicit meta-gradient depends on φ, not on the path to it: its memory is the same
for any number of inner steps.  The unrolled one keeps every iterate.  Measured in one
process and one thread with tracemalloc, to which NumPy reports its arrays: the peak
beyond what was there before the call.  All three run on the plain layers, where every
array is new; the fast path's, which are kept and used again, ``scaling`` sees as the
system does.  The table is printed; ``memory.json`` and ``memory.png`` go to
benchmarks/results/ (``--out``).
"""

import argparse
import gc
import tracemalloc
from functools import partial

import numpy as np

import imaml_ref as ir

from ..shared import record
from ..shared.drawing import BLUE, GREEN, ORANGE, panels, plain_numbers, save
from ..shared.imaml_reference import pieces
from ..shared.workloads import LAM, STEP_SIZE, Workload, draw

MiB = 2**20


def peak_bytes(call) -> int:
    """Return the peak of memory during a call, beyond what was there before."""
    gc.collect()
    started = tracemalloc.is_tracing()
    if not started:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    call()
    peak = tracemalloc.get_traced_memory()[1] - before
    if not started:
        tracemalloc.stop()
    return peak


def calls(loss, theta, tasks, num_steps: int) -> dict:
    """Return what is measured, by name, as functions without arguments."""
    inner = ir.GradientDescent(STEP_SIZE, num_steps)
    options = {"lam": LAM, "inner": inner}
    x, y = tasks.support_x, tasks.support_y
    return {
        "inner loop": partial(ir.adapt, loss, theta, x, y, **options),
        "iMAML": partial(ir.implicit_gradient, loss, theta, tasks, **options),
        "unrolled": partial(ir.unrolled_gradient, loss, theta, tasks, **options),
    }


def measure(loss, theta, tasks, steps: list[int]) -> dict[str, list[int]]:
    """Return the peaks in bytes, by name, for each number of inner steps."""
    for call in calls(loss, theta, tasks, 1).values():
        call()  # what is loaded or cached once is not part of it
    found: dict[str, list[int]] = {}
    for num_steps in steps:
        for name, call in calls(loss, theta, tasks, num_steps).items():
            found.setdefault(name, []).append(peak_bytes(call))
    return found


def table(steps: list[int], peaks: dict[str, list[int]]) -> str:
    """Return the peaks in MiB as a table, a row for each number of steps."""
    rows = [("inner steps", *(f"{name} / MiB" for name in peaks))]
    for i, num_steps in enumerate(steps):
        rows.append((str(num_steps), *(f"{p[i] / MiB:.2f}" for p in peaks.values())))
    return "\n".join("".join(f"{cell:>18}" for cell in row) for row in rows)


def figure(steps: list[int], peaks: dict[str, list[int]], title: str):
    """Draw the peaks over the number of inner steps."""
    drawn, ((axes,),) = panels(1, 1, title, (5.2, 3.4))
    looks = {
        "inner loop": (GREEN, "v"),
        "iMAML": (BLUE, "o"),
        "unrolled": (ORANGE, "s"),
    }
    for name, values in peaks.items():
        colour, marker = looks[name]
        axes.loglog(
            steps, np.array(values) / MiB, color=colour, marker=marker, label=name
        )
    axes.set_xticks(steps, [str(k) for k in steps])
    plain_numbers(axes.yaxis)
    axes.minorticks_off()
    axes.set_xlabel("inner gradient steps")
    axes.set_ylabel("peak memory / MiB")
    axes.legend(frameon=False)
    return drawn


def arguments(given=None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 64, 512])
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--ways", type=int, default=5)
    parser.add_argument("--shots", type=int, default=1)
    record.add_out(parser)
    return parser.parse_args(given)


def main(given=None) -> None:
    args = arguments(given)
    ir.set_num_threads(1)
    sizes = Workload(args.ways, args.shots, args.tasks, inner_steps=1, cg_steps=1)
    loss, theta, tasks, _ = pieces(draw(sizes, threads=1))
    with ir.plain_path():
        peaks = measure(loss, theta, tasks, args.steps)
    what = (
        f"{args.ways}-way {args.shots}-shot, omniglot_cnn, {args.tasks} tasks at a "
        f"time, float32"
    )
    print(f"{what}: peak of memory beyond the data and θ")
    print(table(args.steps, peaks))
    found = record.circumstances("memory", given) | {
        "arguments": {n: v for n, v in vars(args).items() if n != "out"},
        "parameters": len(theta),
        "bytes_of_one_iterate": args.tasks * theta.nbytes,
        "peak_bytes": peaks,
    }
    record.write(args.out / "memory.json", found)
    save(figure(args.steps, peaks, f"Peak memory, {what}"), args.out / "memory.png")
