"""The kernels of a meta-step one by one: asked, shown, kept."""

from ..shared.workloads import Workload
from .alone import alone
from .budget import Budget
from .results import Results


def launches(
    name: str, workload: Workload, stage: str, budget: Budget, args, results: Results
) -> None:
    """Time each kernel of a meta-step, and keep the results.

    Args:
        name: Of the workload.
        workload: Its sizes.
        stage: Whose kernels.
        budget: For all of it.
        args: With threads, place, dtype.
        results: Where the results go.
    """
    words = ["--stage", stage]
    found = alone("benchmarks.gpu.kernel_times", words, workload, budget, args)
    name = f"{name}, {stage}"
    if "launches" in found:
        found["kernels"] = by_name(found["launches"])
    results.add("kernels", name, found)
    tell(name, found)


def by_name(found: list[dict]) -> list[dict]:
    """Return calls and seconds of each kernel, the longest first."""
    names = dict.fromkeys(entry["name"] for entry in found)
    alike = {n: [entry for entry in found if entry["name"] == n] for n in names}
    sums = [
        {"name": n} | {k: sum(e[k] for e in entries) for k in ("calls", "seconds")}
        for n, entries in alike.items()
    ]
    return sorted(sums, key=lambda entry: -entry["seconds"])


def tell(name: str, found: dict) -> None:
    """Print the kernels of a workload."""
    if "reason" in found:
        print(f"\nkernels, {name}: {found['reason']}", flush=True)
        return
    whole = sum(entry["seconds"] for entry in found["kernels"])
    print(f"\nkernels of a meta-step, {name}: {1e3 * whole:.3f} ms together")
    for entry in found["kernels"]:
        share = entry["seconds"] / whole
        print(
            f"{entry['name']:22}{entry['calls']:8} calls"
            f"{1e3 * entry['seconds']:12.3f} ms{share:8.0%}",
            flush=True,
        )
