"""The rows as a table for a terminal, as plain text, and as JSON."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from .._version import __version__
from .rows import Row

HEAD = ("part", "claim", "witness", "digits", "required", "")


def as_table(rows: Sequence[Row]) -> Any:
    """Return a ``rich.table.Table``; failures are red."""
    # Imported here: a library that only wants the rows need not have rich.
    from rich.table import Table

    table = Table(title=summary(rows), title_justify="left")
    for name in HEAD:
        table.add_column(name, justify="right" if name in HEAD[3:5] else "left")
    previous = ""
    for row in rows:
        new_part = row.part != previous
        if new_part and previous:
            table.add_section()
        cells = [row.part if new_part else "", *cells_of(row)[1:]]
        table.add_row(*cells, style=None if row.passed else "bold red")
        previous = row.part
    return table


def as_text(rows: Sequence[Row]) -> str:
    """Return an aligned table in plain text, every row complete in itself."""
    lines = [HEAD, *map(cells_of, rows)]
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(HEAD))]
    text = [
        "  ".join(
            cell.rjust(width) if i in (3, 4) else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in lines
    ]
    return "\n".join([*text, summary(rows)])


def as_json(rows: Sequence[Row]) -> str:
    """Return the rows as a JSON document."""
    document = {
        "schema": "imaml-ref verify",
        "schema_version": 1,
        "imaml_ref": __version__,
        "passed": all(row.passed for row in rows),
        "rows": [dataclasses.asdict(row) | {"passed": row.passed} for row in rows],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def cells_of(row: Row) -> tuple[str, ...]:
    """Return the cells of a row."""
    word = "pass" if row.passed else "FAIL"
    numbers = (f"{row.digits:.1f}", f"{row.required:g}")
    return (row.part, row.claim, row.witness, *numbers, word)


def summary(rows: Sequence[Row]) -> str:
    """Return one line: how many passed."""
    passed = sum(row.passed for row in rows)
    return f"{passed} of {len(rows)} checks passed"
