"""Omniglot 5-way 1-shot: five estimators side by side, same tasks, same time.

    B="benchmarks/run.py omniglot"
    python $B tune omniglot.h5 OUT --seconds 90 --arms 0 1 2 3 4
    python $B train omniglot.h5 OUT --minutes 12 --arms 0 1 2 3 4
    python $B train omniglot.h5 OUT --minutes 4 --arms 5 6 7 8 9 10

``tune`` chooses λ and the meta-step of every estimator on validation classes: first λ
at a meta-step of 2e-3, then the meta-step at that λ.  ``train`` trains every estimator
with its choice, tests each on the same 2,000 test tasks, and looks at each θ with the
same probe: the exact operator H + λI at the φ of the estimator's own inner loop, on
validation tasks.  Arms take turns, a slice of seconds each, so that a machine that gets
busy slows all alike.  Every arm computes with one thread, and its minutes are those of
the processor; on two cores two commands with half of the arms each, 12 minutes an arm,
are 6 minutes of the machine.  Arms 5 to 10 control,
at the λ and meta-step of the estimator they control.  ``table.py`` makes the
table and figure.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

import imaml_ref as ir

from ..shared.record import write
from .arms import ARMS, CONTROLS, ESTIMATORS, slug
from .training import Run


def tune(arm, source, seconds, out):
    """Write the λ and meta-step of an arm that validate best after ``seconds``."""
    log = []

    def score(lam, lr):
        run = Run(arm, source, lam, lr)
        run.advance(seconds)
        accuracy = run.validate(500)
        log.append(
            {"lam": lam, "meta_lr": lr, "meta_steps": run.state.step, "val": accuracy}
        )
        print(arm.name, log[-1], flush=True)
        return accuracy

    at_lam = {lam: score(lam, 2e-3) for lam in (0.2, 0.5, 2.0)}
    lam = max(at_lam, key=at_lam.get)
    at_lr = {2e-3: at_lam[lam], 4e-3: score(lam, 4e-3)}
    chosen = {"lam": lam, "meta_lr": max(at_lr, key=at_lr.get)}
    write(out / f"tuned-{slug(arm)}.json", {"chosen": chosen, "trials": log})


def settings(arm, out):
    """Return what was tuned for an arm, or for the estimator that it controls."""
    like = arm
    if arm in CONTROLS:
        like = ESTIMATORS[0 if arm.name.startswith("first") else 1]
    return json.loads((out / f"tuned-{slug(like)}.json").read_text())["chosen"]


def train(arms, source, seconds, test_tasks, out):
    """Train the arms in turns, test them, and write results as they come."""
    runs = [Run(arm, source, **settings(arm, out)) for arm in arms]
    while any(r.seconds < seconds and not r.ended for r in runs):
        for run in runs:
            run.advance(min(60.0, max(seconds - run.seconds, 0)))
            accuracy = run.validate(100)
            done = (run.arm.name, run.state.step, round(run.seconds), accuracy)
            print(*done, run.ended, flush=True)
    about = {
        "data": {"digest": source.digest, "scheme": source.scheme},
        "versions": {"imaml_ref": ir.__version__, "numpy": np.__version__},
        "date": time.strftime("%Y-%m-%d"),
    }
    for run in runs:
        result = run.result(test_tasks)
        np.save(out / f"theta-{slug(run.arm)}.npy", run.state.theta)
        write(out / f"trained-{slug(run.arm)}.json", about | result)
        print({k: v for k, v in result.items() if k != "curve"}, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("tune", "train"))
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=90, help="per trial of tune")
    parser.add_argument("--minutes", type=float, default=12, help="per arm of train")
    parser.add_argument("--test-tasks", type=int, default=2000)
    parser.add_argument("--arms", type=int, nargs="+", default=range(5))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    ir.set_num_threads(1)
    source = ir.data.Episodes(
        ir.data.open_dataset(args.data),
        5,
        1,
        5,
        split_scheme="random-1200",
        invert=True,
    )
    arms = [ARMS[i] for i in args.arms]
    if args.part == "tune":
        for arm in arms:
            tune(arm, source, args.seconds, args.out)
    else:
        train(arms, source, 60 * args.minutes, args.test_tasks, args.out)
