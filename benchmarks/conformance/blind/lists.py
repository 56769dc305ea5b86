"""Gather the mistakes into list.json.

    python benchmarks/run.py conformance.blind.lists

T, J and N are planted by hand in PyTorch, JAX and NumPy: by_hand_*.toml.  A are the
mutations that ``draw`` drew.
"""

import argparse
import json
import tomllib

from .plant import HERE, PROGRAMS, planted


def main():
    """Plant each once, so that every text is found, and write the list."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    mistakes = by_hand() + mutations()
    for mistake in mistakes:
        planted(mistake)
    text = json.dumps(mistakes, ensure_ascii=False, indent=1)
    (HERE / "list.json").write_text(text + "\n", "utf-8")
    print({c: sum(m["id"][0] == c for m in mistakes) for c in "TJNA"})


def by_hand():
    """Return the mistakes written by hand."""
    return [
        {"id": mistake["id"], "program": program} | mistake
        for program in PROGRAMS
        for mistake in tomllib.loads(
            (HERE / f"by_hand_{program}.toml").read_text("utf-8")
        )["mistakes"]
    ]


def mutations():
    """Return the mutations of the syntax tree."""
    return json.loads((HERE / "mutations.json").read_text("utf-8"))["mutations"]


def load():
    """Return the list by id."""
    mistakes = json.loads((HERE / "list.json").read_text("utf-8"))
    return {mistake["id"]: mistake for mistake in mistakes}
