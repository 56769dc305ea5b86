"""metrics.csv: one row per meta-step, appended as the training goes.

A resumed run drops the rows after its checkpoint and writes them again, so the file of
an interrupted run is that of an undisturbed one, the seconds aside.
"""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import numpy

from ..files import BadFile, atomic_path, naming

COLUMNS = {
    "step": "meta-steps done",
    "seconds": "time spent in training so far",
    "query_loss": "mean of Q_t(φ_t) over the tasks",
    "query_accuracy": "fraction, transductive",
    "support_loss": "mean of L_t(φ_t)",
    "r1": "mean of ‖∇G(φ)‖: how far the inner problem is from solved",
    "r2": "mean of ‖v − A x‖: how far the linear system is from solved",
    "cos_gv": "mean of cos(g, v); 1 is the first-order direction",
    "smallest_ritz": "smallest over the tasks; an upper bound on λ_min(A)",
    "negative_curvature": "share of the products with pᵀAp ≤ 0",
    "lam": "λ, or its geometric mean",
    "grad_norm": "norm of the meta-gradient",
    "validation_score": "accuracy, or minus the loss, on the validation tasks",
}


class MetricsFile:
    """metrics.csv, open for appending.

    Args:
        path: The file; it is created if absent.
        after: Rows beyond this step are dropped, and so is a row cut short.

    Raises:
        BadFile: If it is damaged.
    """

    def __init__(self, path: str | Path, *, after: int):
        self.path = Path(path)
        rows = [row for row in whole_rows(self.path) if int(row["step"]) <= after]
        with atomic_path(self.path) as temporary:
            write_rows(temporary, rows)
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS)

    def append(self, row: Mapping[str, float]) -> None:
        """Add a row; what it does not name stays empty."""
        with naming(self.path):
            self._writer.writerow({name: text(value) for name, value in row.items()})

    def sync(self) -> None:
        """Have the rows on the disk: before the checkpoint that they lead to."""
        with naming(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def __enter__(self) -> "MetricsFile":
        return self

    def __exit__(self, *_) -> None:
        self.sync()
        self._file.close()


def text(value: float) -> str:
    """Write a number so that it reads back the same; an absent one is empty."""
    return "" if value != value else repr(value)


def whole_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file that end in a line break; none if it is absent.

    Raises:
        BadFile: If they are no such rows.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [line for line in file if line.endswith("\n")]
        rows = [row for row in csv.DictReader(lines) if None not in row.values()]
        for row in rows:
            int(row["step"])
    except (ValueError, KeyError, csv.Error) as error:
        raise BadFile(
            f"{path} is damaged: {type(error).__name__}, {error}; restore it, or "
            "remove it: the curves then begin at the checkpoint"
        ) from error
    return rows


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Write the header and rows to a new file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def read_metrics(path: str | Path) -> dict[str, numpy.ndarray]:
    """Read metrics.csv: one array (rows,) per column, float64, NaN for no value."""
    rows = whole_rows(Path(path))
    return {
        name: numpy.array([float(row.get(name) or "nan") for row in rows])
        for name in COLUMNS
    }
