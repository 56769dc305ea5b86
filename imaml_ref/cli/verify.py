"""``imaml-ref verify``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..files import atomic_path
from .errors import CHECK_FAILED, Stop, refusing


def verify_command(
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what takes long.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the rows to a file too.")
    ] = None,
):
    """Check every derivative and solver against a witness, on this machine.

    Prints one table: what is claimed, what it was compared with, how many digits agree
    and how many are required.  Exit status 1 if a check fails.
    """
    # Imported here: the other commands need not wait for it.
    from .. import verify
    from ..runs import resolved_device

    with refusing():
        device = resolved_device(device)
        rows = verify.rows(quick=quick, device=device, dtype=dtype)
    found = list(rows)
    try:
        if json_file is not None:
            with refusing(), atomic_path(json_file) as temporary:
                temporary.write_text(verify.as_json(found) + "\n", encoding="utf-8")
    finally:
        show(found)
    judge(found)


def judge(rows: Sequence) -> None:
    """End the program if a check failed.

    Raises:
        Stop: With exit status 1.
    """
    failed = sum(not row.passed for row in rows)
    if failed:
        raise Stop(CHECK_FAILED, f"{failed} of {len(rows)} checks failed")


def show(rows: Sequence) -> None:
    """Print the table: framed on a terminal, plain elsewhere."""
    from rich.console import Console

    from .. import verify

    console = Console()
    if console.is_terminal:
        console.print(verify.as_table(rows))
    else:
        print(verify.as_text(rows))
