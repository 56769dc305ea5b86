"""What every benchmark writes: its numbers, and how to come by them again."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from imaml_ref.files import atomic_path

from .machine import machine, versions

RESULTS = Path(__file__).parents[1] / "results"


def add_out(parser) -> None:
    """Give a command line its ``--out``."""
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results")


def circumstances(question: str, given, *, hidden=("--out",), **checkouts) -> dict:
    """Return what was run, when, and with what.

    Args:
        question: The folder.
        given: Words of its command line; None for those of this process.
        hidden: Options whose values are paths of this machine.
        checkouts: By name, where a library was imported from; None is left out.
    """
    return {
        "command": command(question, given, hidden),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(checkouts),
    }


def command(question: str, given, hidden=("--out",)) -> str:
    """Return the command as it can be repeated elsewhere."""
    words = sys.argv[1:] if given is None else given
    shown = without_paths(words, hidden)
    return " ".join(["python benchmarks/run.py", question, *shown])


def without_paths(words, hidden) -> list[str]:
    """Return words, PATH in the place of what follows a hidden option."""
    pairs = zip(["", *words], words, strict=False)
    return ["PATH" if before in hidden else word for before, word in pairs]


def write(path: Path, record: dict) -> None:
    """Write a record as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def tell(line: str) -> None:
    """Say what goes on, where somebody may be waiting."""
    print(line, file=sys.stderr, flush=True)
