"""The commands, and how the program ends."""

from collections.abc import Sequence
from typing import Annotated

import typer

from .._version import __version__
from .errors import CTRL_C, WRONG_INPUT, Stop, complain
from .train import train

app = typer.Typer(
    name="imaml-ref",
    help="Meta-learning with implicit gradients, every derivative by hand.",
    epilog="Example: imaml-ref train",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)
app.command(
    epilog="Examples: imaml-ref train --meta-steps 50 · "
    "imaml-ref train --data omniglot.h5 --out runs/omniglot · "
    "imaml-ref train --resume --out runs/omniglot --meta-steps 5000"
)(train)


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
    try:
        status = app(args, standalone_mode=False, prog_name="imaml-ref")
        return status if isinstance(status, int) else 0
    except Stop as stop:
        complain(stop)
        return stop.status
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return CTRL_C
    except Exception as error:
        # What is wrong with flags, the parser says by exceptions of its own.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        complain(message())
        return WRONG_INPUT
