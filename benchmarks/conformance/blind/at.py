"""What ``diagnose_at`` says of the mistakes of the blind list, on three problems.

    python benchmarks/run.py conformance.blind.at --out DIR [ID ...]

Each mistake of list.json is planted in its program; the program computes φ* and, at its
own φ, loss, ∇L, H p, (5) and (7) of each problem, and ``diagnose_at`` is handed these
arrays and nothing else.  Those who compute neither (outer steps, unrolled gradients,
linear systems) pass.  DIR receives ID.json and at.md; an ID that has its json is not
run again.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy

from imaml_ref.conformance.json_report import diagnosis
from imaml_ref.conformance.own_judging import Judging
from imaml_ref.conformance.own_problem import judged, problem_of
from imaml_ref.data import TaskBatch
from imaml_ref.layers import BatchNorm2d, Conv2d, Flatten, Linear, ReLU, Softplus, Tanh
from imaml_ref.meta_gradients import TaskLoss
from imaml_ref.networks import Network, SoftmaxCrossEntropy, SquaredError, architectures

from ...shared import record as records
from .lists import load
from .plant import PROGRAMS, planted
from .run import MISSED
from .table import escaped, what

ROOT = Path(__file__).parents[3]


def tasks(rng, shape, outputs, classes, count, support, queries):
    """Return a batch with normal inputs and labels, or targets."""
    found = []
    for n in (support, queries):
        found.append(rng.normal(size=(count, n, *shape)))
        y = rng.integers(0, outputs, (count, n))
        found.append(y if classes else rng.normal(size=(count, n, outputs)))
    return TaskBatch(*found)


def regression():
    """Two layers and tanh, squared error, a λ per parameter; P = 32."""
    rng = numpy.random.default_rng(21)
    net = architectures.mlp((3,), (5,), 2, activation=Tanh)
    lam = rng.uniform(0.9, 3.0, net.layout.size)
    data = tasks(rng, (3,), 2, False, count=4, support=6, queries=9)
    return problem_of(TaskLoss(net, SquaredError()), net.init(rng), data, lam)


def classes():
    """Two layers and softplus, cross-entropy; P = 59."""
    rng = numpy.random.default_rng(22)
    net = architectures.mlp((4,), (7,), 3, activation=Softplus)
    data = tasks(rng, (4,), 3, True, count=3, support=8, queries=11)
    return problem_of(TaskLoss(net, SoftmaxCrossEntropy()), net.init(rng), data, 0.83)


def images():
    """A convolution with batch normalisation and ReLU; P = 100."""
    rng = numpy.random.default_rng(23)
    layers = {
        "conv": Conv2d(1, 2, stride=(2, 2), padding=(1, 1)),
        "norm": BatchNorm2d(2),
        "relu": ReLU(),
        "flatten": Flatten(),
        "head": Linear(18, 4),
    }
    net = Network(layers, (6, 5, 1))
    data = tasks(rng, (6, 5, 1), 4, True, count=2, support=7, queries=5)
    return problem_of(TaskLoss(net, SoftmaxCrossEntropy()), net.init(rng), data, 7.3)


PROBLEMS = {p.__name__: p for p in (regression, classes, images)}


def main(arguments=None):
    """Run the mistakes that were chosen."""
    args = parsed(arguments)
    known = load() | {p: {"id": p, "program": p} for p in PROGRAMS}
    chosen = args.ids or list(known)
    if unknown := set(chosen) - set(known):
        sys.exit(f"no mistake is called {', '.join(sorted(unknown))}; see list.json")
    if args.one:
        print(json.dumps(said_of(known[chosen[0]])))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    todo = [id for id in chosen if not (args.out / f"{id}.json").exists()]
    with ThreadPoolExecutor(args.at_once) as workers:
        work = partial(in_process, limit=args.limit)
        for id, found in zip(todo, workers.map(work, todo), strict=True):
            records.write(args.out / f"{id}.json", known[id] | found)
            records.tell(f"{id}: {found}"[:160])
    rows = {id: args.out / f"{id}.json" for id in known}
    rows = {
        id: json.loads(f.read_text("utf-8")) for id, f in rows.items() if f.exists()
    }
    (args.out / "at.md").write_text(page(rows), "utf-8")


def parsed(arguments):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--out", type=Path, default=Path("blind-at"), help="a folder")
    parser.add_argument("--limit", type=float, default=600, help="seconds for each")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def in_process(id, limit):
    """Return what is said of one mistake; a hang or a crash ends its process alone."""
    words = [sys.executable, str(ROOT / "benchmarks/run.py"), "conformance.blind.at"]
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(
            [*words, id, "--one"], capture_output=True, text=True, timeout=limit,
            env=os.environ | one_thread,
        )  # fmt: skip
        return {"said": json.loads(ended.stdout.splitlines()[-1])}
    except subprocess.TimeoutExpired:
        return {"ended": f"did not end within {limit:.0f} s"}
    except (IndexError, ValueError):
        last = (ended.stderr.strip().splitlines() or [""])[-1]
        return {"ended": f"ended with {ended.returncode}: {last}"}


def said_of(mistake):
    """Return what is said of a mistake, by problem."""
    program, found = planted(mistake)(), {}
    for name, make in PROBLEMS.items():
        try:
            told = judged(*answers(program, make()))
        except Exception as error:  # whatever a program with a mistake may raise
            found[name] = {"ended": f"{type(error).__name__}: {error}"}
            continue
        fails = [v.answer for v in told.report.verdicts if v.outcome in MISSED]
        found[name] = {
            "fails": fails,
            "refused": dict(told.refused),
            "diagnoses": [diagnosis(d) for d in told.diagnoses],
        }
    return found


def answers(program, own):
    """Return a problem, and what a program computes on it."""
    direction = numpy.random.default_rng(5).normal(size=own.theta.shape)
    start = numpy.tile(own.theta, (len(own.tasks), 1))
    phi = program.inner(Judging(own, {}).cases(start)[0])
    (case, _) = Judging(own, {"direction": direction}).cases(phi)
    mine = {
        "phi": phi, "direction": direction, "loss": program.loss(case),
        "grad": program.grad(case), "hvp": program.hvp(case),
        "meta_grad": program.meta_grad(case), "lam_grad": program.lam_grad(case),
    }  # fmt: skip
    return own, {name: numpy.asarray(a) for name, a in mine.items()}


def page(rows):
    """Return what was said as Markdown."""
    columns = list(PROBLEMS)
    lines = [
        f"| id | mistake | {' | '.join(columns)} |",
        "|---|---|" + "---|" * len(columns),
    ]
    for id, row in rows.items():
        cells = [cell(row, name) for name in columns]
        lines.append(f"| {' | '.join(map(escaped, (id, what(row), *cells)))} |")
    return "\n".join(lines) + "\n"


def cell(row, problem):
    """Return what was said of one problem."""
    said = row.get("said", {}).get(problem, row)
    if "ended" in said:
        return said["ended"]
    if not said["fails"]:
        return "passes"
    named = [d["text"] for d in said["diagnoses"] if d["names"]]
    return f"{', '.join(said['fails'])}: {' '.join(named) or 'not named'}"
