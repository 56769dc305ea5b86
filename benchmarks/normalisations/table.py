"""One table and one figure of the trainings that ``normalisations`` finished.

    python benchmarks/run.py normalisations.table

In a cell of the table is the mean over the seeds, behind it each seed; in the figure a
seed is a dot.  ``normalisations.md``, ``.png``, ``.svg`` and ``.json`` go to
benchmarks/results/ (``--out``); the numbers of every θ, with intervals over tasks, are
in the last, but for those of each class, which stay in the folder of the training.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean

from ..shared import record
from ..shared.drawing import BLUE, GREEN, ORANGE, panels, save
from .run import add_work
from .training import ASKED, known_norms

PROTOCOLS = {f"{n} a class, together": ("transductive", n) for n in ASKED} | {
    "each alone": ("per example", max(ASKED))
}

BY_CLASS = ("accuracy_by_class", "confused")


def load(work: Path) -> dict[str, list[dict]]:
    """Return the finished trainings of each normalisation, by seed."""
    found = [json.loads(p.read_text("utf-8")) for p in work.glob("*/result.json")]
    for one in found:
        one["protocols"] = [without_classes(r) for r in one["protocols"]]
    found.sort(key=lambda one: one["about"]["seed"])
    return {
        norm: of
        for norm in known_norms()
        if (of := [one for one in found if one["about"]["norm"] == norm])
    }


def without_classes(record: dict) -> dict:
    """Return a record without its lists of several hundred classes."""
    return {k: v for k, v in record.items() if k not in BY_CLASS}


def accuracies(trainings: list[dict], protocol: tuple[str, int]) -> list[float]:
    """Return the accuracy in % of each seed that has one."""
    return [
        100 * r["accuracy"]
        for one in trainings
        for r in one["protocols"]
        if (r["protocol"], r["queries"]) == protocol
    ]


def cell(values: list[float]) -> str:
    """Return mean and values as text."""
    each = ", ".join(f"{v:.1f}" for v in values)
    return f"**{fmean(values):.1f}** ({each})" if values else "–"


def table(results: dict[str, list[dict]]) -> str:
    """Return the table as Markdown."""
    head = ["normalisation", *PROTOCOLS, "processor seconds", "ended early"]
    lines = [head, ["---"] * len(head)]
    for norm, of in results.items():
        cells = [cell(accuracies(of, protocol)) for protocol in PROTOCOLS.values()]
        seconds = ", ".join(f"{one['processor_seconds']:.0f}" for one in of)
        ended = "; ".join(one["ended"] for one in of if one["ended"]) or "–"
        lines.append([norm, *cells, seconds, ended])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def figure(results: dict[str, list[dict]], title: str):
    """Draw the accuracies of every seed, and their means as strokes."""
    drawn, ((axes,),) = panels(1, 1, title, (7, 1.6 + 0.45 * len(results)))
    colours = dict(zip(PROTOCOLS, (BLUE, GREEN, ORANGE), strict=True))
    for place, of in enumerate(results.values()):
        for nth, (words, protocol) in enumerate(PROTOCOLS.items()):
            values, y = accuracies(of, protocol), place + 0.2 * (nth - 1)
            label = words if place == 0 else None
            axes.plot(values, [y] * len(values), "o", color=colours[words], label=label)
            if values:
                axes.plot([fmean(values)] * 2, [y - 0.1, y + 0.1], color=colours[words])
    axes.set_yticks(range(len(results)), list(results))
    axes.set_ylim(len(results) - 0.5, -0.5)
    axes.set_xlabel("test accuracy / %; a dot is a seed, a stroke their mean")
    drawn.legend(loc="outside lower center", ncols=3, frameon=False)
    return drawn


def about(results: dict[str, list[dict]]) -> dict:
    """Return what all trainings have in common.

    Raises:
        ValueError: If there is none, or they have different settings.
    """
    shared = [
        {k: v for k, v in one["about"].items() if k not in ("norm", "seed")}
        for of in results.values()
        for one in of
    ]
    if not shared or any(one != shared[0] for one in shared):
        raise ValueError(f"expected trainings of one kind, got {shared}")
    return shared[0]


def main(given=None) -> None:
    """Write table, figure and numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_work(parser)
    record.add_out(parser)
    args = parser.parse_args(given)
    results = load(args.work)
    common = about(results)
    shown = table(results)
    hidden = ("--out", "--work")
    circumstances = record.circumstances("normalisations.table", given, hidden=hidden)
    found = circumstances | {"settings": common, "results": results}
    path = args.out / "normalisations"
    record.write(path.with_suffix(".json"), found)
    settings = ", ".join(f"{k} {v}" for k, v in common.items() if k != "data")
    text = f"`{found['command']}`; {settings}; test accuracy in %\n\n{shown}"
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    title = f"Omniglot 5-way 1-shot, {common['meta_steps']} meta-steps for all"
    for suffix in (".png", ".svg"):
        save(figure(results, title), path.with_suffix(suffix))
    print(shown)
