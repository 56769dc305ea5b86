"""``imaml-ref evaluate``."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..compute import set_num_processes, set_num_threads
from ..data import SPLITS
from ..files import atomic_path
from ..runs import Run, check_processes, draw_protocols, load_run, protocol, save
from ..training import RESAMPLINGS, Evaluation, evaluate, protocols
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
        str | None,
        typer.Option(help="Query examples per class: 5, or 1,5.", show_default=OF_RUN),
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
    figure: Annotated[
        Path | None, typer.Option(help="Draw FIGURE.svg and FIGURE.png.")
    ] = None,
):
    """Test a run on thousands of tasks, with 95 % intervals."""
    with refusing():
        check_split(split)
        changes = {"inner_steps": inner_steps, "data": data, "device": device}
        changes |= {"ways": ways, "shots": shots}
        counts = numbers_of(queries) if queries is not None else []
        changes["queries"] = max(counts, default=None)
        given = {name: v for name, v in changes.items() if v is not None}
        loaded = load_run(run, **given)
        counts = counts or [loaded.config.queries]
        source: Any = loaded.source  # opened here, where a bad file is wrong input
        sources = {n: replace(source, num_queries=n) for n in counts}
        check_processes(processes, loaded.device)
    set_num_threads(threads or None)
    set_num_processes(processes)
    seed = loaded.config.seed if seed is None else seed
    with computing():
        found = {
            n: evaluate_run(loaded, sources[n], split, tasks, seed) for n in counts
        }
    records = protocols(found, source, seed=seed)
    try:
        if json_file is not None:
            write_json(json_file, loaded, found, records, seed)
        if figure is not None:
            with refusing():
                drawn = draw_protocols(records, loaded.algorithm.name)
                for suffix in (".svg", ".png"):
                    save(drawn, figure.with_name(figure.name + suffix))
    finally:  # whichever of the two fails, the other has the numbers
        show(loaded, found, records)


def numbers_of(queries: str) -> list[int]:
    """Return numbers written with commas, ascending.

    Raises:
        ValueError: If they are none.
    """
    try:
        return sorted({int(text) for text in queries.split(",")})
    except ValueError:
        raise ValueError(
            f"--queries must be integers with commas, such as 1,5, got {queries!r}"
        ) from None


def check_split(split: str) -> None:
    """Refuse a split that there is not.

    Raises:
        ValueError: Naming those that there are.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")


def evaluate_run(
    run: Run, source: Any, split: str, num_tasks: int, seed: int
) -> Evaluation:
    """Evaluate a run on tasks of a source, with progress."""
    with reporter().progress(f"evaluating on {split}", num_tasks) as progress:
        return evaluate(
            run.algorithm,
            run.theta,
            source,
            split=split,
            num_tasks=num_tasks,
            seed=seed,
            observe=progress.update,
        )


def show(run: Run, found: dict[int, Evaluation], records: list[dict]) -> None:
    """Print what was found."""
    step = run.checkpoint.result_step
    print(f"{run.path}, θ after {step} meta-steps, {run.algorithm.name}")
    *_, last = found.values()
    print(
        f"{last.num_tasks} tasks of {last.split}; ± is half the 95 % interval "
        f"(Student's t); [ ] are its ends by bootstrap ({RESAMPLINGS} resamplings)"
    )
    print(protocol(run.config, run.source.task, found))
    for r in records:
        words = f"accuracy, {r['protocol']}, {r['queries']} a class"
        value, half = 100 * r["accuracy"], 100 * r["accuracy_ci95"]
        low, high = (100 * end for end in r["accuracy_bootstrap95"])
        print(f"  {words:36} {value:.2f} % ± {half:.2f} %  [{low:.2f}, {high:.2f}] %")
    for n, e in found.items():
        words = f"query loss, {n} a {'class' if records else 'task'}"
        print(f"  {words:36} {e.loss:.4f} ± {e.loss_ci95:.4f}")


def write_json(
    path: Path, run: Run, found: dict[int, Evaluation], records: list[dict], seed: int
) -> None:
    """Write the numbers, whole or not at all."""
    *_, last = found.values()
    document: dict[str, Any] = {
        "run": run.path.name,
        "split": last.split,
        "seed": seed,
        "protocol": protocol(run.config, run.source.task, found),
        **{name: getattr(run.config, name) for name in KEPT},
        "meta_steps": run.checkpoint.result_step,
        "estimator": run.algorithm.name,
        **last.as_dict(last.split),
        "resamplings": RESAMPLINGS,
        "protocols": records,
    }
    with refusing(), atomic_path(path) as temporary:
        text = json.dumps(document, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
