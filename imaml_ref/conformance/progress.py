"""One line that is rewritten on a terminal, and Ctrl-C that keeps what there is."""

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from .case import Case

# What a level costs beside L1, about; a case costs as much as it has numbers.
COST = {"L1": 1, "L2": 2, "L3": 10, "L4": 4, "L5": 12, "L6": 12, "L7": 120, "U": 6}
SOON = 0.5  # seconds without a line: who is that fast needs none
CLEAR = "\r\x1b[K"


class Line:
    """Says what is asked and for how long, if standard error is a terminal.

    Args:
        questions: All that will be asked, in order.
    """

    def __init__(self, questions: Sequence[tuple[Case, str]]):
        self.costs = [cost(case) * COST.get(level, 1) for case, level in questions]
        self.done, self.start = 0, time.monotonic()
        self.shown = sys.stderr is not None and sys.stderr.isatty()

    def asked(self, case: Case, level: str) -> None:
        """Say that a question is put; those before it are answered."""
        seconds = time.monotonic() - self.start
        if self.shown and seconds > SOON:
            rate = sum(self.costs[: self.done]) / seconds
            left = sum(self.costs[self.done :]) / rate if rate else 0.0
            many = f"{self.done + 1} of {len(self.costs)}"
            write(f"{CLEAR}{case.name} {level}, {many}, {told(left)} left")
        self.done += 1

    def end(self) -> None:
        """Take the line away."""
        if self.shown:
            write(CLEAR)


def write(text: str) -> None:
    """Write to standard error, if somebody can still be told."""
    with suppress(OSError, UnicodeError):
        print(text, end="", file=sys.stderr, flush=True)


def cost(case: Case) -> int:
    """Return the size of a case."""
    return sum(a.size for a in case.inputs.values())


def told(seconds: float) -> str:
    """Say a duration: 42 s, 3 min 20 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def ctrl_c() -> Iterator[threading.Event]:
    """Yield an event that is set at Ctrl-C, which raises KeyboardInterrupt as ever.

    A program may catch that exception and go on; the event stays.
    """
    event = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(
        before
    ):
        yield event
        return

    def handle(signum, frame):
        event.set()
        before(signum, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
