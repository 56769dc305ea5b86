"""The rows as a table for a terminal, as plain text, and as JSON."""

import dataclasses
import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from .._version import __version__
from .rows import Row

HEAD = ("part", "claim", "witness", "digits", "required", "")


def as_table(rows: Sequence[Row]) -> Any:
    """Return a ``rich.table.Table`` with a heading for each part; failures are red."""
    # Imported here: a library that only wants the rows need not have rich.
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption=summary(rows),
        caption_justify="left",
    )
    for name in HEAD[1:3]:
        table.add_column(name)
    table.add_column("digits", justify="right")
    table.add_column("of", justify="right")
    table.add_column("")
    for part, same_part in groupby(rows, key=lambda row: row.part):
        table.add_section()
        table.add_row(part, style="bold")
        for row in same_part:
            style = None if row.passed else "bold red"
            claim, *others = cells_of(row)[1:]
            table.add_row(f"  {claim}", *others, style=style)
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
