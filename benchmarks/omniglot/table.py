"""One table and one figure from what ``run.py`` wrote.

python benchmarks/run.py omniglot.table OUT benchmarks/results/omniglot-side-by-side

writes the table as Markdown, the figure as PNG, and all numbers as one JSON file.
"""

import argparse
import json
from pathlib import Path

from ..shared.drawing import panels, save
from ..shared.record import write
from .arms import CONTROLS, ESTIMATORS, slug

COMMAND = "python benchmarks/run.py omniglot; see its first lines"
HEAD = (
    "| estimator | λ | meta-lr | meta-steps | test % | per example % "
    "| own pᵀAp ≤ 0 | own smallest Ritz | r₁ | r₂ | cos(g, v) "
    "| probe pᵀAp ≤ 0 | probe smallest Ritz | probe cos |"
)
PANELS = {
    "val": "validation accuracy",
    "cos_gv": "cos(g, v)",
    "negative_curvature": "share of pᵀAp ≤ 0",
    "smallest_ritz": "smallest Ritz value (loss/parameter²)",
    "r1": "r₁ = ‖∇G(φ)‖ (loss/parameter)",
    "r2": "r₂ = ‖v − A x‖ (loss/parameter)",
}


def load(out, arms):
    """Return what was trained and tuned of these arms, as far as it is there."""
    found = []
    for arm in arms:
        path = out / f"trained-{slug(arm)}.json"
        if path.exists():
            tuned = out / f"tuned-{slug(arm)}.json"
            trials = json.loads(tuned.read_text()) if tuned.exists() else None
            found.append(json.loads(path.read_text()) | {"tuning": trials})
    return found


def late(arm, key):
    """Return the mean over the last third of a curve, as text."""
    points = [p[key] for p in arm["curve"] if p[key] is not None]
    tail = points[-max(1, len(points) // 3) :]
    return f"{sum(tail) / len(tail):.3g}" if tail else "–"


def row(arm):
    probe = arm["probe"]["cg20"]
    ended = f" (ended: {arm['ended']})" if arm["ended"] else ""
    cells = [
        arm["name"] + ended,
        f"{arm['lam']:g}",
        f"{arm['meta_lr']:g}",
        arm["meta_steps"],
        f"{100 * arm['test_accuracy']:.1f} ± {100 * arm['test_accuracy_ci95']:.1f}",
        f"{100 * arm['test_accuracy_per_example']:.1f}",
        *(late(arm, k) for k in ("negative_curvature", "smallest_ritz", "r1", "r2")),
        late(arm, "cos_gv"),
        f"{100 * probe['negative_share']:.1f} % of products, "
        f"{100 * probe['tasks_with_negative']:.0f} % of tasks",
        f"{probe['smallest_ritz_min']:.3g}"
        f" (median {probe['smallest_ritz_median']:.3g})",
        f"{probe['cos_median']:.3f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def table(results):
    return "\n".join([HEAD, "|" + "---|" * HEAD.count(" |"), *map(row, results)])


def figure(results):
    drawn, axes = panels(2, 3, "Omniglot 5-way 1-shot", (13, 7))
    for ax, (key, label) in zip(axes.flat, PANELS.items(), strict=True):
        for i, arm in enumerate(results):
            points = [(p["step"], p[key]) for p in arm["curve"] if p[key] is not None]
            if points:
                ax.plot(*zip(*points, strict=True), label=arm["name"], color=f"C{i}")
        ax.set(xlabel="meta-steps", ylabel=label)
        if key in ("r1", "r2"):
            ax.set_yscale("log")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return drawn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("target", type=Path, help="path without a suffix")
    args = parser.parse_args()
    for arms, suffix in ((ESTIMATORS, ""), (CONTROLS, "-controls")):
        results = load(args.out, arms)
        if not results:
            continue
        name = args.target.with_name(args.target.name + suffix)
        write(name.with_suffix(".json"), {"command": COMMAND, "arms": results})
        name.with_suffix(".md").write_text(f"`{COMMAND}`\n\n{table(results)}\n")
        save(figure(results), name.with_suffix(".png"))
        print(table(results))
