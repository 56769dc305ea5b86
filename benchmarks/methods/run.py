"""ANIL, Meta-SGD, multi-step loss beside MAML, first order, iMAML: scores and seconds.

    python benchmarks/run.py methods

Every method trains for the same meta-steps on the same tasks, from the same θ, with one
setting for all: nothing was tuned for any of them, so that the table says what they do
and cost here, not which is best.  Three seeds, of θ and of the tasks; every θ is tested
on the same tasks.  All compute on the plain layers, as with IMAML_REF_PLAIN=1, in one
thread and float32; seconds are those of the processor, for the training alone.  The
table is printed and written to benchmarks/results/methods.md (``--out``).
"""

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import imaml_ref as ir
from imaml_ref.files import atomic_path

from ..shared import record

SEEDS = (0, 1, 2)
META_LR, ALPHA_LR = 2e-3, 2e-2


@dataclass(frozen=True)
class Data:
    """Tasks, a network for them, and the one setting of all methods.

    Args:
        words: What it is.
        source: Where tasks come from.
        loss: Of the network.
        step_size: α, in parameter²/loss.
        longer: α of the 16 inner steps of iMAML.
        lam: λ of iMAML, in loss/parameter².
        meta_batch: Tasks of a meta-step.
        meta_steps: Of a training.
        num_tasks: Of the test.
    """

    words: str
    source: Any
    loss: Any
    step_size: float
    longer: float
    lam: float
    meta_batch: int
    meta_steps: int
    num_tasks: int


def sinusoids(meta_steps: int) -> Data:
    """Return sine curves at ten points, and a network with two layers of 40."""
    net = ir.architectures.mlp((1,), (40, 40), 1)
    loss = ir.TaskLoss(net, ir.SquaredError())
    words = "sinusoids, 10 points, mlp 40-40, mean squared error / 2"
    source = ir.data.Sinusoids(10, 10)
    return Data(words, source, loss, 0.01, 0.004, 0.2, 8, meta_steps, 500)


def glyphs(meta_steps: int) -> Data:
    """Return glyphs, 5-way 1-shot, and the Omniglot network with 16 filters."""
    net = ir.architectures.omniglot_cnn(5, num_filters=16)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    words = "glyphs, 5-way 1-shot, omniglot_cnn of 16 filters, transductive accuracy"
    source = ir.data.Episodes(ir.data.glyph_alphabets(), 5, 1, 5, invert=True)
    return Data(words, source, loss, 0.1, 0.1, 0.2, 4, meta_steps, 200)


def methods(data: Data, num_steps: int) -> dict[str, Any]:
    """Return the algorithms by name; all but iMAML have no proximal term.

    iMAML needs φ near the solution of its inner problem: it has the inner loop, λ and
    operator that ``imaml-ref train`` takes for such data.
    """
    loss, lam = data.loss, data.lam
    longer = ir.GradientDescent(data.longer, 16)
    newton = {"curvature": "gauss-newton"}
    inner = ir.GradientDescent(data.step_size, num_steps)
    each = np.full(loss.net.layout.size, data.step_size)
    half = data.meta_steps // 2
    return {
        "first order": ir.FirstOrderMAML(loss, inner=inner),
        "MAML": ir.MAML(loss, inner=inner),
        "MAML, first order for half": ir.MAML(
            loss, inner=inner, first_order_steps=half
        ),
        "MAML, multi-step loss": ir.MAML(loss, inner=inner, annealing=half),
        "Meta-SGD": ir.MAML(loss, inner=ir.GradientDescent(each, num_steps)),
        "ANIL": ir.MAML(loss, inner=inner, adapted="head"),
        "iMAML": ir.IMAML(loss, lam, longer, **newton),
        "iMAML, head only": ir.IMAML(loss, lam, longer, **newton, adapted="head"),
    }


def trained(data: Data, name: str, algorithm, seed: int) -> tuple[float, float]:
    """Return the score on test tasks, and the seconds of the training."""
    theta = data.loss.net.init(np.random.default_rng(seed), dtype=np.float32)
    start = time.process_time()
    state = ir.meta_train(
        algorithm,
        theta,
        data.source,
        optimizer=ir.Adam(META_LR),
        alpha_optimizer=ir.Adam(ALPHA_LR) if name == "Meta-SGD" else None,
        meta_steps=data.meta_steps,
        meta_batch=data.meta_batch,
        seed=seed,
    )
    seconds = time.process_time() - start
    found = ir.evaluate(
        ir.training.at_state(algorithm, state),
        state.theta,
        data.source,
        num_tasks=data.num_tasks,
        per_example=False,
    )
    return abs(found.score), seconds


def table(data: Data, num_steps: int) -> str:
    """Return a table of one kind of data, a row for each method."""
    lines = [
        f"### {data.words}",
        "",
        f"{data.meta_steps} meta-steps of {data.meta_batch} tasks, {num_steps} inner "
        f"steps of {data.step_size:g} (iMAML: 16 of {data.longer:g}, λ = {data.lam:g}, "
        "Gauss-Newton), "
        f"{data.num_tasks} test tasks.",
        "",
        "| method | mean | of each seed | seconds |",
        "|---|---|---|---|",
    ]
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in SEEDS:
        for name, algorithm in methods(data, num_steps).items():
            found.setdefault(name, []).append(trained(data, name, algorithm, seed))
            record.tell(
                f"{data.words.split(',')[0]}, {name}, seed {seed}: {found[name][-1]}"
            )
    for name, pairs in found.items():
        scores, seconds = np.transpose(pairs)
        each = ", ".join(f"{s:.3f}" for s in scores)
        lines.append(
            f"| {name} | {scores.mean():.3f} | {each} | {seconds.mean():.1f} |"
        )
    return "\n".join(lines)


def arguments(given=None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inner-steps", type=int, default=5)
    parser.add_argument("--sinusoid-steps", type=int, default=800)
    parser.add_argument("--glyph-steps", type=int, default=80)
    record.add_out(parser)
    return parser.parse_args(given)


def main(given=None) -> None:
    args = arguments(given)
    ir.set_num_threads(1)
    chosen = sinusoids(args.sinusoid_steps), glyphs(args.glyph_steps)
    with ir.plain_path():
        tables = [table(data, args.inner_steps) for data in chosen]
    about = record.circumstances("methods", given)
    versions = ", ".join(f"{n} {about['versions'][n]}" for n in ("imaml_ref", "numpy"))
    head = (
        f"`{about['command']}`, {about['date']}, {about['machine']['processor']}, one "
        f"thread, {versions}, plain layers, as with IMAML_REF_PLAIN=1. Adam with "
        f"{META_LR:g} for θ and, in Meta-SGD, "
        f"{ALPHA_LR:g} for log α; nothing was tuned. Seconds of the processor, a "
        "training, the mean of three."
    )
    text = "\n\n".join(["# Methods side by side", head, *tables]) + "\n"
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.out / "methods.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
