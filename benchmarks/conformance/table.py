"""Make the table of docs/conformance-report.md from the results.

    python benchmarks/run.py conformance.table benchmarks/results/conformance

A cell is passed / attempted, then the fewest digits of an answer that passed; answers
that should have been refused are not counted.
"""

import argparse
import json
from pathlib import Path

LEVELS = [*(f"L{i}" for i in range(1, 8)), "U"]


def main():
    """Print a row for each variant of each result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print(f"| implementation, variant | {' | '.join(LEVELS)} |")
    print("|---" * (1 + len(LEVELS)) + "|")
    for path in sorted(folder.glob("*.json")):
        if path.stem.startswith("diagnosis"):
            continue
        record = json.loads(path.read_text())
        for name, variant in record["variants"].items():
            cells = [cell(variant["levels"].get(level)) for level in LEVELS]
            print(f"| {path.stem}, {name} | {' | '.join(cells)} |")


def cell(counts):
    """Return a level in a few characters."""
    if counts is None:
        return ""
    passed = counts.get("pass", 0)
    attempted = passed + counts.get("fail", 0)
    if not attempted:
        return ""
    fewest = counts["fewest_digits"]
    return f"{passed}/{attempted}" + (f", {fewest:.1f}" if fewest else "")
