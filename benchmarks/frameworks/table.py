"""Write docs/frameworks.md from what the frameworks answered.

    python benchmarks/run.py frameworks.table [--folder DIR] [--page FILE]

The tables come from results/frameworks/*.json; what is said about an error, and what to
do instead, from imaml_ref/conformance/frameworks.toml, which the judge reads as well.
"""

import argparse
import json
import tomllib
from importlib.resources import files
from pathlib import Path

from .run import RESULTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "frameworks.md"
KNOWN = files("imaml_ref.conformance") / "frameworks.toml"
ORDER = (
    "torch",
    "jax",
    "tensorflow",
    "autograd",
    "paddle",
    "mlx",
    "tinygrad",
    "dezero",
)
TITLES = {
    "torch": "PyTorch",
    "jax": "JAX, flax, optax",
    "tensorflow": "TensorFlow, Keras",
    "autograd": "HIPS autograd",
    "paddle": "Paddle",
    "mlx": "MLX, on the CPU",
    "tinygrad": "tinygrad",
    "dezero": "DeZero",
}
SYMBOLS = {
    "right": "✓",
    "zero": "**0**",
    "NaN": "NaN",
    "None": "None",
    "raises": "raises",
    "died": "died",
    "no witness": "?",
    "unclear": "?",
    "differs": "differs",
}
SILENT = ("wrong", "zero", "differs")
HEAD = Path(__file__).with_name("head.md")


def main(arguments=None):
    """Write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args(arguments)
    args.page.write_text(page(args.folder), encoding="utf-8")


def page(folder=RESULTS) -> str:
    """Return the page."""
    records = {p.stem: json.loads(p.read_text("utf-8")) for p in folder.glob("*.json")}
    names = sorted(records, key=ORDER.index)
    entries = known()
    parts = [HEAD.read_text("utf-8"), summary(records, names)]
    parts += [section(records[name], entries.get(name, [])) for name in names]
    return "\n".join(parts)


def known() -> dict[str, list]:
    """Return what is known to be wrong, by framework."""
    told = tomllib.loads(KNOWN.read_text("utf-8"))
    return {name: errors for name, errors in told.items() if name != "versions"}


def summary(records, names) -> str:
    """Return a row for each framework: how often each verdict was given."""
    heads = ("right", "wrong", "zero", "NaN", "None", "raises", "died")
    lines = [f"| | rows × routes | {' | '.join(heads)} | else |", "|---" * 10 + "|"]
    for name in names:
        given = [
            r["verdict"]
            for row in records[name]["cases"].values()
            for r in row["case"].values()
        ]
        counts = [sum(v == head for v in given) for head in heads]
        cells = [str(n or "") for n in (*counts, len(given) - sum(counts))]
        title = TITLES[name]
        lines.append(
            f"| [{title}](#{anchor(title)}) | {len(given)} | {' | '.join(cells)} |"
        )
    return "\n".join([*lines, ""])


def anchor(title: str) -> str:
    """Return the anchor of a heading."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def section(record, entries) -> str:
    """Return a framework: its silent errors in words, then its table."""
    versions = ", ".join(f"{k} {v}" for k, v in record["versions"].items())
    lines = [f"## {TITLES[record['framework']]}", ""]
    lines += [f"{versions}, Python {record['python']}; {record['date']}.", ""]
    lines += [words(entry) for entry in entries]
    lines += [""] if entries else ["No silent error was seen.", ""]
    return "\n".join(lines + table(record) + clean(record)) + "\n"


def words(entry) -> str:
    """Return a silent error in words."""
    routes = ", ".join(f"`{r}`" for r in entry["routes"])
    said = f"{entry['comes']} Instead: {entry['instead']}"
    return f"- **{', '.join(entry['layers'])}**, by {routes}: {said}"


def table(record) -> list[str]:
    """Return the rows where something is not right."""
    columns = ["gradient", *record["routes"]]
    lines = [
        "| | " + " | ".join(columns) + " | control |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name, row in record["cases"].items():
        if not all_right(row):
            cells = [cell(row["case"].get(column)) for column in columns]
            lines.append(f"| {name} | {' | '.join(cells)} | {control(row)} |")
    return [*lines, ""]


def clean(record) -> list[str]:
    """Return the rows that are right by every route, in a line."""
    names = [name for name, row in record["cases"].items() if all_right(row)]
    return (
        [f"Right by every route ({len(names)}): {'; '.join(names)}."] if names else []
    )


def all_right(row) -> bool:
    """Whether every answer of a row is right."""
    return all(r["verdict"] == "right" for r in row["case"].values())


def cell(result) -> str:
    """Return an answer in a few characters."""
    if result is None:
        return "–"
    if result["verdict"] != "wrong":
        return SYMBOLS[result["verdict"]]
    return f"**{per_cent(max(result['errors']))}**"


def per_cent(error) -> str:
    """Return a relative error to two digits; beyond a thousandfold as a factor."""
    return f"{float(f'{100 * error:.2g}'):g} %" if error < 1e3 else f"{error:.0e}"


def control(row) -> str:
    """Return what came of a row's control: right wherever it does not raise, or not."""
    given = {r["verdict"] for r in row["control"].values()}
    if not given:
        return ""
    same = all(r.get("same_values", True) for r in row["control"].values())
    if not same or given - {"right", "raises"}:
        return "fails"
    return "✓" if given == {"right"} else "✓, or raises"


def silent(record) -> list[tuple[str, str]]:
    """Return (row, route) of every silent error."""
    return [
        (name, route)
        for name, row in record["cases"].items()
        for route, r in row["case"].items()
        if r["verdict"] in SILENT
    ]


if __name__ == "__main__":
    main()
