"""The results as one figure, drawn from the file: what is there gets a panel."""

from ..shared.drawing import BLUE, GREEN, ORANGE, RED, medians, panes, save
from ..shared.peer import JAX, OURS, SGEMM, TORCH
from .registry import CONTENDERS
from .results import REHEARSAL, Results

COLOURS = {OURS: BLUE, JAX: ORANGE, TORCH: GREEN}
SIZE = (5.8, 3.4)  # of a panel, in inches
MB, MS = 1e6, 1e3


def draw_results(results: Results) -> None:
    """Draw the figure beside the file of results, if anything was measured."""
    found, drawers = results.found, []
    for part in ("stages", "peers"):
        for name, entry in found.get(part, {}).items():
            drawers.append((contest, f"{part}, {name}", entry))
    if "kernels" in found:
        drawers += [(kernels, f"kernels, {k}", e) for k, e in found["kernels"].items()]
    if "memory" in found:
        drawers.append((memory, "peak device memory", found["memory"]))
    for name, entry in found.get("train", {}).items():
        drawers.append((training, f"training, {name}", entry))
    if not drawers:
        return
    save(figure(drawers, title_of(results)), results.figure)


def title_of(results: Results) -> str:
    """Return what all panels were measured on."""
    if results.rehearsal:
        return REHEARSAL
    runs = results.found["runs"]
    return ", ".join(sorted({f"{r['card']['name']}, {r['date']}" for r in runs}))


def figure(drawers, title: str):
    """Draw a panel for each (function, title, entry)."""
    drawn, axes = panes(len(drawers), title, SIZE)
    for place, (function, name, entry) in zip(axes, drawers, strict=True):
        function(place, entry)
        place.set_title(name, loc="left", fontsize=9)
    return drawn


def contest(axes, entry: dict) -> None:
    """Draw the medians of one workload, the fastest on top; grey is void."""
    rows = {n: r for n, r in entry["contenders"].items() if r["seconds"] and n != SGEMM}
    bars = [
        (row["label"], MS * row["seconds_median"], colour(name), row["void"])
        for name, row in rows.items()
    ]
    medians(axes, bars, "{:.2f}", fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("milliseconds of a meta-step, median")


def colour(name: str) -> str:
    """Return the colour of a contender's family."""
    known = CONTENDERS.get(name)
    return COLOURS.get(known.group, RED) if known else RED


def kernels(axes, entry: dict) -> None:
    """Draw the time of each kernel in a meta-step, the longest on top."""
    rows = sorted(entry.get("kernels", []), key=lambda row: row["seconds"])
    for place, row in enumerate(rows):
        axes.barh(place, MS * row["seconds"], color=BLUE)
    names = [f"{row['name']} ({row['calls']})" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.set_xlabel("milliseconds in a meta-step, launched one by one (calls)")


def memory(axes, entries: dict) -> None:
    """Draw the peaks of each stage."""
    bars = [
        (f"{CONTENDERS[name].label}: {key}", found["peak_bytes"] / MB)
        for name, entry in entries.items()
        for key, found in entry.items()
        if isinstance(found, dict) and found.get("peak_bytes")
    ]
    for place, (_, value) in enumerate(bars):
        axes.barh(place, value, color=BLUE)
        axes.text(value, place, f" {value:.1f}", va="center", fontsize=7)
    axes.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=7)
    axes.set_xlabel("MB beyond data and θ")


def training(axes, entry: dict) -> None:
    """Draw the accuracies on validation tasks over time, and that of the test."""
    rows = entry.get("validation", [])
    seconds, scores = ([row[k] for row in rows] for k in ("seconds", "accuracy"))
    axes.plot(seconds, [100 * score for score in scores], "o-", color=BLUE, ms=3)
    if "test" in entry:
        mean, half = (100 * entry["test"][f"test_accuracy{e}"] for e in ("", "_ci95"))
        axes.axhspan(mean - half, mean + half, color=ORANGE, alpha=0.3)
        axes.axhline(mean, color=ORANGE, label=f"test: {mean:.2f} ± {half:.2f} %")
        axes.legend(fontsize=7)
    axes.set_xlabel(f"seconds of {entry['meta_steps']} meta-steps")
    axes.set_ylabel("accuracy / %, validation tasks")
