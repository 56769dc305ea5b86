"""``imaml-ref train``."""

import warnings
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import make_config, read_config
from ..runs import (
    Prepared,
    Reporter,
    RunFolder,
    draw_missing,
    prepare,
    resumed_config,
    train_run,
)
from .console import duration, reporter
from .errors import computing, refusing
from .options import configured


@configured
def train(
    keys: dict[str, Any],
    config: Annotated[
        Path | None, typer.Option(help="TOML file of keys; flags win over it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run.", show_default="runs/<date-time>"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out.")
    ] = False,
):
    """Train, test, and write one folder: numbers, figures, checkpoint.

    Without arguments: drawn glyphs, 5-way 1-shot, a few minutes on two cores.
    """
    shown = reporter()
    with refusing():
        run = ready(keys, config, out, resume, shown)
        finished = run.finished
    if finished:
        draw_missing(run, shown)
        shown.note(f"{run.folder.path} is finished: {run.folder.summary}")
        return
    with computing(), warnings.catch_warnings():
        # Overflow is looked for and named by the training itself.
        warnings.simplefilter("ignore", RuntimeWarning)
        summary = train_run(run, shown)
    conclude(run, summary, shown)


def ready(
    keys: dict[str, Any],
    config: Path | None,
    out: Path | None,
    resume: bool,
    shown: Reporter,
) -> Prepared:
    """Return the run that the flags ask for, checked; nothing is written.

    Raises:
        ValueError: If they do not make sense, or the folder is not free.
    """
    given = (read_config(config) if config is not None else {}) | keys
    if resume and out is None:
        raise ValueError("--resume needs --out: which run is to go on?")
    if out is None:
        out = Path("runs") / datetime.now().strftime("%Y-%m-%d-%H%M%S")
    folder = RunFolder(out)
    if resume and folder.is_run():
        return prepare(resumed_config(folder, given), folder)
    folder.check_free()
    if resume:
        shown.note(f"there is no run in {out}: starting anew")
    return prepare(make_config(given), folder)


def which_theta(summary: dict[str, Any]) -> str:
    """Say which θ the test numbers belong to."""
    step, steps = summary["theta_step"], summary["meta_steps"]
    return (
        f"tested: θ after {step} of {steps} meta-steps ({summary['theta_reason']}), "
        f"{summary['estimator']}"
    )


def conclude(run: Prepared, summary: dict[str, Any], shown: Reporter) -> None:
    """Say how it went."""
    names = {
        "test_accuracy": "test accuracy, transductive",
        "test_accuracy_per_example": "test accuracy, per example",
        "untrained_accuracy": "transductive, from the untrained θ",
        "nearest_neighbour_accuracy": "nearest neighbour in pixels",
    }
    shown.note(which_theta(summary))
    shown.note(f"{summary['test_tasks']} test tasks, {summary['protocol']}")
    for name, words in names.items():
        if name in summary:
            value, half = 100 * summary[name], 100 * summary[f"{name}_ci95"]
            shown.note(f"  {words:34} {value:6.2f} ± {half:.2f} %")
    if "test_accuracy" not in summary:
        for name, words in (
            ("test_loss", "test loss"),
            ("untrained_loss", "untrained"),
        ):
            shown.note(
                f"  {words:34} {summary[name]:.4f} ± {summary[f'{name}_ci95']:.4f}"
            )
    shown.note(
        f"{summary['meta_steps']} meta-steps in {duration(summary['seconds'])}; "
        f"everything is in {run.folder.path}"
    )
