"""The commands, and how the program ends."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .._version import __version__
from .conformance import app as conformance_app
from .data import app as data_app
from .errors import CTRL_C, NOBODY_READS, WRONG_INPUT, Stop, complain
from .evaluate import evaluate_command
from .predict import predict_command
from .streams import flush, make_ready
from .train import train
from .verify import verify_command

# What needs a command after it; without one they explain themselves.
GROUPS: tuple[list[str], ...] = ([], ["conformance"], ["data"])

app = typer.Typer(
    name="imaml-ref",
    help="Meta-learning with implicit gradients, every derivative by hand.",
    epilog="Example: imaml-ref train",
    rich_markup_mode="markdown",
    add_completion=False,
)
app.command(
    epilog="Examples: imaml-ref train --meta-steps 50 · "
    "imaml-ref train --data omniglot.h5 --out runs/omniglot · "
    "imaml-ref train --resume --out runs/omniglot --meta-steps 5000"
)(train)
app.command("evaluate", epilog="Example: imaml-ref evaluate runs/omniglot --tasks 600")(
    evaluate_command
)
app.command("predict", epilog="Example: imaml-ref predict runs/omniglot known unknown")(
    predict_command
)
app.command("verify", epilog="Example: imaml-ref verify --quick --json rows.json")(
    verify_command
)
app.add_typer(conformance_app, name="conformance")
app.add_typer(data_app, name="data")


def show_version(wanted: bool) -> None:
    """Print the version and stop.

    Raises:
        Exit: If it was wanted.
    """
    if wanted:
        print(f"imaml-ref {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Print the version."
        ),
    ] = False,
):
    """Meta-learning with implicit gradients, every derivative by hand."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status.

    Args:
        args: Command and flags; those of the process by default.
    """
    make_ready()
    given = list(sys.argv[1:] if args is None else args)
    if given in GROUPS:
        given.append("--help")
    status = run(given)
    try:
        flush()
    except OSError as error:
        return status or cannot_print(error)
    return status


def run(given: list[str]) -> int:
    """Run a command; return its exit status."""
    try:
        status = app(given, standalone_mode=False, prog_name="imaml-ref")
        return status if isinstance(status, int) else 0
    except Stop as stop:
        complain(stop)
        return stop.status
    except OSError as error:
        return cannot_print(error)
    except SystemExit:  # so does the parser end where nobody reads
        return NOBODY_READS
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return CTRL_C
    except Exception as error:
        # What is wrong with flags, the parser says by exceptions of its own.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        complain(message() + commands_there_are(error))
        return WRONG_INPUT


def commands_there_are(error: Exception) -> str:
    """Name the commands of a group that was asked for another one; else nothing."""
    group = getattr(getattr(error, "ctx", None), "command", None)
    commands = getattr(group, "commands", None)
    return f" (commands: {', '.join(commands)})" if commands else ""


def cannot_print(error: OSError) -> int:
    """Say why nothing can be printed, unless nobody reads it; return the status."""
    if isinstance(error, BrokenPipeError):
        return NOBODY_READS
    complain(error)
    return WRONG_INPUT
