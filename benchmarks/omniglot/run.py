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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import imaml_ref as ir
from imaml_ref.layers import Softplus
from imaml_ref.training.evaluation import evaluate
from imaml_ref.training.loop import first_state, meta_step

PROXIMAL = ir.GradientDescent(0.1, 16)
NET = ir.architectures.omniglot_cnn


@dataclass(frozen=True)
class Arm:
    """One estimator: its name, how to make its algorithm at a λ, and its net."""

    name: str
    make: object
    net: object = NET

    def algorithm(self, lam):
        loss = ir.TaskLoss(self.net(5), ir.SoftmaxCrossEntropy())
        return self.make(loss, lam)


def exact(loss, lam, inner=PROXIMAL, cg_steps=5):
    return ir.IMAML(loss, lam=lam, inner=inner, solver=ir.CG(maxiter=cg_steps))


ESTIMATORS = [
    Arm(
        "first order, proximal loop",
        lambda loss, lam: ir.FirstOrderMAML(loss, lam=lam, inner=PROXIMAL),
    ),
    Arm("exact operator (paper)", exact),
    Arm(
        "Gauss-Newton",
        lambda loss, lam: ir.IMAML(
            loss, lam=lam, inner=PROXIMAL, curvature="gauss-newton"
        ),
    ),
    Arm("released operator and loop", lambda loss, lam: ir.ReleasedIMAML(loss, lam)),
    Arm(
        "first order, released loop",
        lambda loss, lam: ir.FirstOrderMAML(loss, lam=lam, inner=ir.PullBackDescent()),
    ),
]
CONTROLS = [
    Arm("exact, softplus net", exact, lambda ways: NET(ways, activation=Softplus)),
    Arm(
        "first order, softplus net",
        ESTIMATORS[0].make,
        lambda ways: NET(ways, activation=Softplus),
    ),
    Arm("exact, no batch norm", exact, lambda ways: NET(ways, norm=None)),
    Arm(
        "first order, no batch norm",
        ESTIMATORS[0].make,
        lambda ways: NET(ways, norm=None),
    ),
    Arm(
        "exact, 64 inner steps",
        lambda loss, lam: exact(loss, lam, ir.GradientDescent(0.1, 64)),
    ),
    Arm("exact, 20 CG steps", lambda loss, lam: exact(loss, lam, cg_steps=20)),
]
ARMS = ESTIMATORS + CONTROLS


class Run:
    """The training of one arm, a slice at a time."""

    def __init__(self, arm, source, lam, meta_lr, seed=0):
        self.arm, self.source, self.lam, self.meta_lr = arm, source, lam, meta_lr
        self.algorithm, self.seed = arm.algorithm(lam), seed
        self.optimizer = ir.Adam(step_size=meta_lr, eps=1e-8)
        theta = self.algorithm.loss.net.init(
            np.random.default_rng(seed), dtype=np.float32
        )
        self.state = first_state(self.algorithm, theta, self.optimizer, None)
        self.seconds, self.curve, self.recent, self.ended = 0.0, [], [], ""

    def advance(self, seconds):
        stop = self.seconds + seconds
        while self.seconds < stop and not self.ended:
            start = time.process_time()
            try:
                tasks = self.source.sample(
                    "train", seed=self.seed, step=self.state.step, num_tasks=32
                )
                self.state, row = meta_step(
                    self.algorithm, self.state, tasks, optimizer=self.optimizer
                )
            except ArithmeticError as error:
                self.ended = str(error)
                break
            self.seconds += time.process_time() - start
            self.recent.append(row)

    def validate(self, num_tasks):
        try:
            found = evaluate(
                self.algorithm,
                self.state.theta,
                self.source,
                split="val",
                num_tasks=num_tasks,
                per_example=False,
            ).accuracy
        except ArithmeticError:
            found = 0.2
        recent, self.recent = self.recent, []
        means = {
            k: float(np.nanmean([r[k] for r in recent]))
            if recent and not np.isnan([r[k] for r in recent]).all()
            else None
            for k in ("r1", "r2", "cos_gv", "smallest_ritz", "negative_curvature")
        }
        point = {"step": self.state.step, "seconds": self.seconds, "val": found}
        self.curve.append(point | means)
        return found

    def probe(self, num_tasks=64):
        """Look at θ with the exact operator: 5 CG steps as in training, then 20."""
        tasks = self.source.sample("val", seed=1, step=0, num_tasks=num_tasks)
        theta = self.state.theta
        phi = self.algorithm.adapt(theta, tasks.support_x, tasks.support_y)
        found = {}
        for steps in (5, 20):
            d = ir.implicit_gradient_at(
                self.algorithm.loss,
                theta,
                phi,
                tasks,
                lam=self.lam,
                solver=ir.CG(maxiter=steps),
            ).diagnostics
            found[f"cg{steps}"] = {
                "negative_share": float(
                    d.negative_curvature.sum() / d.num_products.sum()
                ),
                "tasks_with_negative": float((d.negative_curvature > 0).mean()),
                "smallest_ritz_min": float(d.smallest_ritz.min()),
                "smallest_ritz_median": float(np.median(d.smallest_ritz)),
                "r1_median": float(np.median(d.inner_residual)),
                "r2_median": float(np.median(d.solver_residual)),
                "cos_median": float(np.median(d.cosine)),
            }
        return found

    def result(self, test_tasks):
        found = evaluate(
            self.algorithm, self.state.theta, self.source, num_tasks=test_tasks
        )
        return {
            "name": self.arm.name,
            "estimator": self.algorithm.name,
            "lam": self.lam,
            "meta_lr": self.meta_lr,
            "meta_steps": self.state.step,
            "seconds": round(self.seconds, 1),
            "ended": self.ended,
            **found.as_dict("test"),
            "probe": self.probe(),
            "curve": self.curve,
        }


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
    save(out / f"tuned-{slug(arm)}.json", {"chosen": chosen, "trials": log})


def settings(arm, out):
    """Return what was tuned for an arm, or for the estimator that it controls."""
    like = arm
    if arm in CONTROLS:
        like = ESTIMATORS[0 if arm.name.startswith("first") else 1]
    return json.loads((out / f"tuned-{slug(like)}.json").read_text())["chosen"]


def slug(arm):
    return arm.name.replace(",", "").replace("(", "").replace(")", "").replace(" ", "-")


def save(path, content):
    path.write_text(json.dumps(content, indent=1) + "\n")


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
        save(out / f"trained-{slug(run.arm)}.json", about | result)
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


if __name__ == "__main__":
    main()
