"""How the program ends: 0 done, 1 a check failed, 2 wrong input, 3 diverged."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..files import BadFile
from ..runs import Interrupted
from .streams import say

CHECK_FAILED, WRONG_INPUT, DIVERGED, CTRL_C, NOBODY_READS = 1, 2, 3, 130, 141


class Stop(Exception):
    """The program ends with a status and one line.

    Args:
        status: The exit status.
        message: What is wrong and what to do; line breaks become spaces.
    """

    def __init__(self, status: int, message: object):
        super().__init__(" ".join(str(message).split()))
        self.status = status


@contextmanager
def refusing() -> Iterator[None]:
    """Take errors of a block that reads files and flags for wrong input.

    Raises:
        Stop: With exit status 2.
    """
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        raise Stop(WRONG_INPUT, error) from error
    except ModuleNotFoundError as error:
        raise Stop(WRONG_INPUT, f"{error}; it is needed here, install it") from error
    except MemoryError as error:
        raise Stop(WRONG_INPUT, f"not enough memory: {error}") from error


@contextmanager
def computing() -> Iterator[None]:
    """Take arithmetic errors of a block for divergence, and signals for signals.

    A file that cannot be written or is damaged is wrong input, and so is what a disk or
    a memory is too small for.

    Raises:
        Stop: With exit status 2, 3, 130 or 143.
    """
    try:
        yield
    except (OSError, BadFile) as error:
        raise Stop(WRONG_INPUT, error) from error
    except MemoryError as error:
        raise Stop(WRONG_INPUT, f"not enough memory: {error}") from error
    except ArithmeticError as error:
        raise Stop(DIVERGED, error) from error
    except Interrupted as error:
        raise Stop(error.exit_status, error) from error


def complain(message: object) -> None:
    """Say on standard error, in one line, why the program stops."""
    say(f"imaml-ref: {message}", error=True)
