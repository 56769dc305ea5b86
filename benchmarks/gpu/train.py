"""A training on a card by the commands that anybody would use, and what it came to.

``imaml-ref train`` is given a time and ended with SIGTERM when it is up, as it may be:
it writes its checkpoint.  The time is that of the whole process: start, data,
meta-steps, validation, logging, checkpoints, and a last test of two tasks.
``imaml-ref evaluate`` then tests what is in the checkpoint.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ..shared.child import in_reach
from ..shared.record import without_paths
from .budget import Budget
from .results import Results

COMMAND = "-m", "imaml_ref"
STAGE = "IMAML_REF_DEVICE_STAGE"
TEST_TASKS, TINY_TASKS = 10_000, 4
TO_END = 30.0  # s, to write a checkpoint and end
LAST = 1000  # meta-steps whose time is looked at
TINY = {
    "--num-filters": 2,
    "--inner-steps": 2,
    "--cg-steps": 2,
    "--meta-batch": 2,
    "--validation-tasks": 2,
    "--validation-interval": 2,
    "--checkpoint-seconds": 0,
}


def train(args, budget: Budget, results: Results) -> bool:
    """Train and test in what time there is, and keep the results.

    Args:
        args: With train_minutes, preset, stage, meta_steps, data, rehearse, place.
        budget: For both; what the training leaves is for the test.
        results: Where the results go.

    Returns:
        Whether both went well.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        found = trained(args, out, min(60 * args.train_minutes, budget.left - TO_END))
        data = "glyphs" if args.data is None else "Omniglot"
        name = ", ".join([args.preset, data, *([args.stage] if args.stage else [])])
        results.add("train", name, found)
        if found["reason"] is None:
            found |= tested(args, out, budget)
            results.add("train", name, found)
    tell(name, found)
    return found["reason"] is None and "test_reason" not in found


def trained(args, out: Path, seconds: float) -> dict:
    """Train for at most so many seconds; return what there is to say."""
    flags = {
        "--preset": args.preset,
        "--data": args.data or "glyphs",
        "--meta-steps": args.meta_steps,
        "--test-tasks": 2,
        "--device": args.place.device,
        "--out": out,
    } | (TINY if args.rehearse else {})
    words = [str(word) for pair in flags.items() for word in pair]
    hidden = {"--out"} | ({"--data"} if args.data else set())
    wall, status, said = run_for(["train", *words], seconds, args.stage)
    rows = rows_of(out / "metrics.csv")
    steps, own = progress_of(rows)
    fine = status in (0, 128 + signal.SIGTERM) and steps > 0
    return {
        "flags": " ".join(without_paths(words, hidden)),
        "stage": args.stage or "the default",
        "reason": None if fine else f"exit status {status}; {said}",
        "seconds": wall,
        "ended_by_time": status == 128 + signal.SIGTERM,
        "meta_steps": steps,
        "seconds_per_meta_step": own,
        "validation": validation_of(rows),
    }


def run_for(
    words: list[str], seconds: float, stage: str | None = None
) -> tuple[float, int, str]:
    """Run imaml-ref for at most so long; return seconds, exit status, last line."""
    start, chosen = time.monotonic(), {STAGE: stage} if stage else {}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, *COMMAND, *words],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | {"COLUMNS": "100"} | in_reach() | chosen,
        )
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(seconds, 0.1))
            ended(process)
        finally:
            process.kill()
        took = time.monotonic() - start
        said.seek(0)
        lines = said.read().strip().splitlines()
    return took, process.returncode, lines[-1].strip() if lines else ""


def ended(process) -> None:
    """Ask a process that still runs to end, and give it time to."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(TO_END)


def rows_of(metrics: Path) -> list[dict[str, str]]:
    """Return the rows of metrics.csv; none if there is no file."""
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    return list(csv.DictReader(lines))


def progress_of(rows) -> tuple[int, float | None]:
    """Return how many meta-steps were made, and the mean time of the last ones."""
    last = rows[-LAST - 1 :]
    if len(last) < 2:
        return len(rows), None
    first, end = (
        (int(row["step"]), float(row["seconds"])) for row in (last[0], last[-1])
    )
    return end[0], (end[1] - first[1]) / (end[0] - first[0])


def validation_of(rows) -> list[dict[str, float]]:
    """Return meta-step, seconds and accuracy of each validation."""
    names = {"step": "step", "seconds": "seconds", "accuracy": "validation_score"}
    found = ({k: float(row[n] or "nan") for k, n in names.items()} for row in rows)
    return [row for row in found if row["accuracy"] == row["accuracy"]]


def tested(args, out: Path, budget: Budget) -> dict:
    """Test what was trained; return accuracies with their intervals, or why not."""
    number, answer = TINY_TASKS if args.rehearse else TEST_TASKS, out / "test.json"
    words = [out, "--tasks", number, "--json", answer, "--device", args.place.device]
    words = ["evaluate", *map(str, words)]
    wall, status, said = run_for(words, budget.left - 1, args.stage)
    if status or not answer.exists():
        return {"test_reason": f"exit status {status}; {said}"}
    return {"test_seconds": wall, "test": json.loads(answer.read_text())}


def tell(name: str, found: dict) -> None:
    """Print how it went."""
    print(f"\ntraining, {name}: {found['meta_steps']} meta-steps", end=" ")
    print(f"in {found['seconds']:.0f} s all in all; {found['reason'] or 'fine'}")
    test = found.get("test", {})
    for key in ("accuracy", "accuracy_per_example"):
        if f"test_{key}" in test:
            value, half = (100 * test[f"test_{key}{end}"] for end in ("", "_ci95"))
            print(
                f"  test {key}: {value:.2f} ± {half:.2f} %, {test['test_tasks']} tasks"
            )
    if "test_reason" in found:
        print(f"  no test: {found['test_reason']}", flush=True)
