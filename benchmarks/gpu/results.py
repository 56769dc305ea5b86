"""Results in one file: what was measured before stays, what is new takes its place.

Every measurement names the run that it comes from, since runs of several days and cards
may meet in the file.
"""

import json
from pathlib import Path
from typing import Any

from ..shared import record

REHEARSAL = "REHEARSAL on a processor: says nothing of a card"


class Mixed(Exception):
    """A rehearsal and measurements were to come into one file."""


class Results:
    """The file of results, written anew after each measurement.

    Args:
        folder: Where it lies.
        run: The circumstances of this run.

    Raises:
        Mixed: If the file holds what was made in another way.
    """

    def __init__(self, folder: Path, run: dict[str, Any]):
        self.rehearsal = bool(run["rehearsal"])
        stem = "gpu-rehearsal" if self.rehearsal else "gpu"
        self.path, self.figure = (folder / f"{stem}.{kind}" for kind in ("json", "png"))
        self.found = self.read()
        if any(bool(r["rehearsal"]) != self.rehearsal for r in self.found["runs"]):
            raise Mixed(f"{self.path} mixes rehearsals and measurements")
        self.run = len(self.found["runs"])
        self.found["runs"].append(run)
        folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, Any]:
        """Return what is in the file, or an empty record."""
        if self.path.exists():
            return json.loads(self.path.read_text(encoding="utf-8"))
        about = {"about": REHEARSAL} if self.rehearsal else {}
        return about | {"runs": []}

    def add(self, part: str, name: str, what: dict[str, Any]) -> None:
        """Put a measurement in its place, and write the file."""
        self.found.setdefault(part, {})[name] = {"run": self.run} | what
        record.write(self.path, self.found)
