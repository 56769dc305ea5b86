"""Ctrl-C and SIGTERM: finish what must be finished, then stop."""

import shlex
import signal
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

EXIT_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupted(Exception):
    """A run was asked to stop, and did so with its checkpoint written.

    Args:
        signum: The signal; ``EXIT_STATUS`` says how the program ends.
        step: The meta-step of the checkpoint.
        path: The folder of the run.
    """

    def __init__(self, signum: int, step: int, path: Path):
        name = signal.Signals(signum).name
        out = shlex.quote(str(path))
        super().__init__(
            f"{name}: stopped with the checkpoint written at meta-step {step}; "
            f"go on with imaml-ref train --resume --out {out}"
        )
        self.exit_status = EXIT_STATUS[signal.Signals(signum)]


class Interruption:
    """A context in which the first signal is noted, and the second one acts.

    Signals come to the main thread, and only there can they be handled: in another one
    nothing is, and neither is a signal that a program around Python handles.

    Attributes:
        signum: The signal that came, or None.
    """

    def __init__(self):
        self.signum: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if current_thread() is main_thread():
            for signum in EXIT_STATUS:
                if signal.getsignal(signum) is not None:
                    self._before[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(self, *_) -> None:
        self._restore()

    def _note(self, signum, _frame) -> None:
        self.signum = signum
        self._restore()

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
