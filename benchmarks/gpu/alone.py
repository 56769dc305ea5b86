"""A measurement of ours in a process of its own: asked here, answered there."""

import argparse
import tempfile
from pathlib import Path

from ..shared.child import Failed, python
from ..shared.problem import read, write
from ..shared.session import answering
from ..shared.workloads import Workload, draw
from .budget import Budget
from .place import Place

LEAST_SECONDS = 20.0  # that a measurement may need


def alone(
    module: str, words: list[str], workload: Workload, budget: Budget, args, **variables
) -> dict:
    """Return what a process of its own answers, or why there is nothing.

    Args:
        module: What is run, given a file with the problem.
        words: More arguments.
        workload: The sizes of the problem.
        budget: For all of it.
        args: With threads, place, dtype.
        variables: Of the environment.
    """
    if not budget.has(LEAST_SECONDS):
        return {"reason": "left out: no time was left"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problem.npz"
        write(draw(workload, args.threads), file)
        told = ["--device", args.place.device, "--dtype", args.dtype]
        process = python(module, [str(file), *words, *told], variables, budget.left)
        try:
            return process.answer()
        except Failed as failure:
            return {"reason": str(failure)}
        finally:
            process.close()


def answer(measure, *options: str) -> None:
    """Answer in that process: with ``measure(problem, place, …)`` of the options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    for name in ("device", "dtype", *options):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    with answering() as tell:
        problem, place = read(args.file, args.dtype), Place(args.device)
        tell(measure(problem, place, *(getattr(args, name) for name in options)))
