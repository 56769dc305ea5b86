"""One meta-step of iMAML on a GPU, beside other libraries, and a training in minutes.

    python benchmarks/run.py gpu --part stages
    python benchmarks/run.py gpu --part peers --released PATH
    python benchmarks/run.py gpu --part train --data omniglot.h5

Each part keeps to its time (``--minutes``, 9 by default): what there is no time for is
left out, and said.  Results are written after each measurement, to ``gpu.json`` and
``gpu.png`` in benchmarks/results/ (``--out``), beside those that are there; each names
the day, the card, the driver and the versions it was made with.

    stages   W1 to W4 of ``meta_step`` for each stage of imaml_ref's path on a card,
             in float32 and, where it can be chosen, TF32; the kernels one by one; peak
             device memory at 16 and 1,000 inner steps
    peers    the fast stages beside the released code, PyTorch (vmap, compiled, CUDA
             graphs) and JAX (jit, vmap, convolutions or patches)
    train    5-way 1-shot of the given data, or of drawn glyphs, for as many meta-steps
             as ``--train-minutes`` allow, then a test on 10,000 tasks

Every contender has a process of its own; they and a product of two matrices take turns.
First the meta-gradients are compared task by task with those of imaml_ref in float64 on
the host: of what computes something else no ratio is made.  A row in TF32 counts if its
twin in float32 is right.

``--rehearse`` runs the same on the processor, with a tiny workload: its numbers say
nothing of a card.  They go to a temporary folder, or to ``--out``.
"""

import argparse
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from imaml_ref.compute import num_threads
from imaml_ref.config import PRESETS

from ..shared import record
from ..shared.workloads import WORKLOADS, Workload
from .budget import Budget
from .card import absent, circumstances
from .figure import draw_results
from .holdings import holdings
from .launches import launches
from .place import CARD, HOST, Place
from .race import race
from .registry import FAST, NAMES, ONE_BY_ONE, PEERS, STAGES
from .results import REHEARSAL, Mixed, Results
from .train import train

TINY = Workload(ways=3, shots=1, tasks=2, inner_steps=2, cg_steps=2)
STEPS, TINY_STEPS = (16, 1000), (2, 4)  # inner steps that memory is measured at
PATHS = ("--released", "--data", "--out")


def arguments(given=None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", required=True, choices=PARTS)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--train-minutes", type=float, default=4.0)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS)
    parser.add_argument("--contenders", nargs="+", choices=[*STAGES, *PEERS])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn", type=float, default=0.3, help="s for a contender")
    parser.add_argument("--preset", default="paper", help="of the training")
    parser.add_argument("--stage", choices=NAMES, help="of the training")
    parser.add_argument("--meta-steps", type=int, help="at most; 20,000, rehearsed 3")
    parser.add_argument("--data", help="packed data set; glyphs without")
    parser.add_argument("--released", type=Path, help="checkout of the released code")
    parser.add_argument("--rehearse", action="store_true", help="without a card")
    parser.add_argument("--out", type=Path, help="folder of results")
    args = parser.parse_args(given)
    args.place = Place(HOST if args.rehearse else CARD)
    args.threads, args.dtype, args.tell = num_threads(), "float32", record.tell
    args.meta_steps = args.meta_steps or (3 if args.rehearse else 20_000)
    args.memory = None  # of a process on the host: no limit
    return args


def wrong_with(args) -> str | None:
    """Return what cannot be meant by the arguments, or None."""
    for name in ("minutes", "train_minutes", "rounds", "turn"):
        if getattr(args, name) <= 0:
            return f"--{name.replace('_', '-')} must be above 0"
    if args.preset not in PRESETS:
        return f"--preset must be one of {', '.join(PRESETS)}, got {args.preset!r}"
    for name, part in (("data", "train"), ("stage", "train"), ("released", "peers")):
        if getattr(args, name) is not None and args.part != part:
            return f"--{name} is for --part {part}"
    for name in ("data", "released"):
        path = getattr(args, name)
        if path is not None and not Path(path).exists():
            return f"--{name}: there is no {path}"
    return None


def workloads(args) -> dict[str, Workload]:
    """Return the workloads by name, tiny ones in a rehearsal."""
    chosen = {name: WORKLOADS[name] for name in args.workloads or WORKLOADS}
    if not args.rehearse:
        return chosen
    return {name: replace(TINY, shots=w.shots) for name, w in chosen.items()}


def stages(args, budget: Budget, results: Results) -> None:
    """Measure the stages, then the kernels, then the memory."""
    names = args.contenders or STAGES
    chosen, steps = workloads(args), TINY_STEPS if args.rehearse else STEPS
    first, sizes = next(iter(chosen.items()))
    race("stages", names, chosen, budget.keeping(0.4 * budget.left), args, results)
    for stage in ONE_BY_ONE:
        own = budget.keeping(budget.left / 2)
        launches(first, sizes, stage, own, args, results)
    single = [n for n in names if "tf32" not in n]
    single.sort(key=lambda name: name not in ONE_BY_ONE)  # if time is short, these
    holdings(single, sizes, steps, budget, args, results)


def peers(args, budget: Budget, results: Results) -> None:
    """Measure the fast stages beside other libraries."""
    names = args.contenders or [*FAST, *PEERS]
    race("peers", names, workloads(args), budget, args, results)


def training(args, budget: Budget, results: Results) -> None:
    """Train and test.

    Raises:
        SystemExit: If it could not be trained or tested.
    """
    if not train(args, budget, results):
        sys.exit(1)


PARTS = {"stages": stages, "peers": peers, "train": training}


def folder_of(args) -> Path:
    """Return where the results go; a rehearsal stays away from measurements.

    Raises:
        Mixed: If it would come to lie among them.
    """
    if args.out is None:
        return Path(tempfile.mkdtemp()) if args.rehearse else record.RESULTS
    if args.rehearse and args.out.resolve().is_relative_to(record.RESULTS.resolve()):
        raise Mixed("a rehearsal does not belong among results")
    return args.out


def refuse(reason: str | None) -> None:
    """End with a line and status 2, if there is a reason.

    Raises:
        SystemExit: If there is.
    """
    if reason:
        record.tell(f"gpu: {reason}")
        sys.exit(2)


def main(given=None) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    args = arguments(given)
    refuse(wrong_with(args))
    reason = None if args.rehearse else absent()
    refuse(reason and f"{reason}; --rehearse runs without a card")
    budget = Budget(60 * args.minutes)
    try:
        results = Results(folder_of(args), circumstances(args.place, given, PATHS))
    except (Mixed, OSError) as error:
        refuse(str(error) or type(error).__name__)
    try:
        PARTS[args.part](args, budget, results)
    finally:
        draw_results(results)
        label = f"{REHEARSAL}: " if results.rehearsal else ""
        print(f"\n{label}{results.path}, after {budget.spent:.0f} s")
