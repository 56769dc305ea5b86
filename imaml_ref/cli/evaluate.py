"""``imaml-ref evaluate``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..compute import set_num_processes, set_num_threads
from ..data import SPLITS
from ..files import atomic_path
from ..runs import Run, check_processes, load_run, protocol
from ..training import Evaluation, evaluate
from .console import reporter
from .errors import computing, refusing

KEPT = ("ways", "shots", "queries", "inner_steps")
OF_RUN = "as in the run"
RunArgument = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]
Device = Annotated[
    str | None, typer.Option(help="cpu or cuda.", show_default="that of the run")
]


def evaluate_command(
    run: RunArgument,
    tasks: Annotated[int, typer.Option(help="How many tasks.", min=2)] = 10_000,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    inner_steps: Annotated[
        int | None,
        typer.Option(help="Inner steps.", show_default=OF_RUN, min=1),
    ] = None,
    ways: Annotated[
        int | None,
        typer.Option(
            help="Classes per task, up to the network's outputs.", show_default=OF_RUN
        ),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(help="Support examples per class.", show_default=OF_RUN),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(help="Query examples per class.", show_default=OF_RUN),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Of the tasks.", show_default="that of the run", min=0),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The data, if they lie elsewhere now.")
    ] = None,
    device: Device = None,
    threads: Annotated[int, typer.Option(help="0 is one per core.", min=0)] = 0,
    processes: Annotated[
        int, typer.Option(help="In place of threads; 1 is threads.", min=1)
    ] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to a file too.")
    ] = None,
):
    """Test a run on thousands of tasks, with a 95 % interval."""
    with refusing():
        check_split(split)
        changes = {"inner_steps": inner_steps, "data": data, "device": device}
        changes |= {"ways": ways, "shots": shots, "queries": queries}
        given = {name: v for name, v in changes.items() if v is not None}
        loaded = load_run(run, **given)
        _ = loaded.source  # opened here, where a bad file is wrong input
        check_processes(processes, loaded.device)
    set_num_threads(threads or None)
    set_num_processes(processes)
    seed = loaded.config.seed if seed is None else seed
    with computing():
        found = evaluate_run(loaded, split, tasks, seed)
    try:
        if json_file is not None:
            write_json(json_file, loaded, found, seed)
    finally:  # whichever of the two fails, the other has the numbers
        show(loaded, found)


def check_split(split: str) -> None:
    """Refuse a split that there is not.

    Raises:
        ValueError: Naming those that there are.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")


def evaluate_run(run: Run, split: str, num_tasks: int, seed: int) -> Evaluation:
    """Evaluate a run, with progress."""
    with reporter().progress(f"evaluating on {split}", num_tasks) as progress:
        return evaluate(
            run.algorithm,
            run.theta,
            run.source,
            split=split,
            num_tasks=num_tasks,
            seed=seed,
            observe=progress.update,
        )


def show(run: Run, found: Evaluation) -> None:
    """Print what was found."""
    step = run.checkpoint.result_step
    print(f"{run.path}, θ after {step} meta-steps, {run.algorithm.name}")
    tasks = f"{found.num_tasks} tasks of {found.split}"
    print(f"{tasks}; ± is half the 95 % interval (Student's t)")
    print(protocol_of(run))
    for words, value, half in lines(found):
        print(f"  {words:26} {value} ± {half}")


def protocol_of(run: Run) -> str:
    """Say what its tasks hold."""
    return protocol(run.config, run.source.task)


def lines(found: Evaluation) -> list[tuple[str, ...]]:
    """Return what there is to say: words, mean, half-width."""
    loss = ("query loss", f"{found.loss:.4f}", f"{found.loss_ci95:.4f}")
    if found.accuracies is None:
        return [loss]
    together = (found.accuracy, found.accuracy_ci95)
    said = [("accuracy, transductive", *(f"{100 * a:.2f} %" for a in together))]
    if found.accuracies_per_example is not None:
        alone = (found.accuracy_per_example, found.accuracy_per_example_ci95)
        said.append(("accuracy, per example", *(f"{100 * a:.2f} %" for a in alone)))
    return [*said, loss]


def write_json(path: Path, run: Run, found: Evaluation, seed: int) -> None:
    """Write the numbers, whole or not at all."""
    document: dict[str, Any] = {
        "run": run.path.name,
        "split": found.split,
        "seed": seed,
        "protocol": protocol_of(run),
        **{name: getattr(run.config, name) for name in KEPT},
        "meta_steps": run.checkpoint.result_step,
        "estimator": run.algorithm.name,
        **found.as_dict(found.split),
    }
    with refusing(), atomic_path(path) as temporary:
        text = json.dumps(document, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
