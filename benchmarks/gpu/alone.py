"""A measurement of ours in a process of its own."""

import tempfile
from pathlib import Path

from ..shared.child import Failed
from ..shared.problem import write
from ..shared.workloads import Workload, draw
from .budget import Budget
from .contest import child

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
        command = ["-m", module, str(file), *words]
        command += ["--device", args.place.device, "--dtype", args.dtype]
        process = child(command, variables, budget.left)
        try:
            return process.answer()
        except Failed as failure:
            return {"reason": str(failure)}
        finally:
            process.close()
