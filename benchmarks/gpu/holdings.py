"""Peak memory at few and at many inner steps, for each stage: asked, shown, kept."""

from dataclasses import replace

from ..shared.workloads import Workload
from .alone import alone
from .budget import Budget
from .memory import GRADIENT, META_STEP
from .registry import CONTENDERS
from .results import Results

MB = 1e6


def holdings(
    names, workload: Workload, steps, budget: Budget, args, results: Results
) -> None:
    """Measure the peak memory of some stages, and keep the results.

    Args:
        names: Stages, by their names among the contenders.
        workload: Its sizes, but for the inner steps.
        steps: Numbers of inner steps.
        budget: For all of it.
        args: With threads, place, dtype.
        results: Where the results go.
    """
    for name in names:
        found = {}
        for what, count in [(GRADIENT, 1), *((META_STEP, k) for k in steps)]:
            one = replace(workload, inner_steps=count)
            key = GRADIENT if what == GRADIENT else f"{count} inner steps"
            found[key] = bytes_of(name, one, what, budget, args)
        results.add("memory", name, found | {"ratios": ratios(found)})
        tell(name, found)


def bytes_of(name: str, workload: Workload, what: str, budget: Budget, args) -> dict:
    """Return what a process of its own counts, or why there is nothing."""
    contender = CONTENDERS[name]
    words = ["--what", what, "--stage", contender.options["stage"]]
    variables = contender.environment
    return alone("benchmarks.gpu.memory", words, workload, budget, args, **variables)


def ratios(found: dict[str, dict]) -> dict[str, float]:
    """Return the peaks of meta-steps over that of one gradient."""
    one = found[GRADIENT].get("peak_bytes")
    peaks = {key: entry.get("peak_bytes") for key, entry in found.items()}
    return {
        f"{key} / one gradient": peak / one
        for key, peak in peaks.items()
        if one and peak and key != GRADIENT
    }


def tell(name: str, found: dict[str, dict]) -> None:
    """Print the peaks of a stage."""
    for key, entry in found.items():
        peak = entry.get("peak_bytes")
        words = entry.get("reason") if peak is None else f"{peak / MB:.1f} MB"
        print(f"memory, {CONTENDERS[name].label}, {key}: {words}", flush=True)
