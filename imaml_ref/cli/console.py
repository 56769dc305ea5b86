"""How a run shows on a screen: a progress bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..runs import Progress, Reporter
from .streams import say

PLAIN_SECONDS = 10.0  # between two plain lines about one piece of work
PER_SECOND = 2.0  # drawings of a bar; each takes milliseconds from the training


def reporter() -> Reporter:
    """Return the reporter that suits standard error."""
    return Terminal() if sys.stderr.isatty() else Plain()


class Plain:
    """Prints a line now and then."""

    def note(self, text: str) -> None:
        """Print one line on standard output."""
        say(text)

    @contextmanager
    def progress(self, what: str, total: int, *, done: int = 0) -> Iterator[Progress]:
        """Print lines about work of ``total`` units, ``done`` of them made."""
        yield PlainProgress(what, total, Rate(done))


class Terminal(Plain):
    """Shows bars with rate and time left."""

    @contextmanager
    def progress(
        self, what: str, total: int, *, done: int = 0
    ) -> Iterator["TerminalProgress"]:
        """Show a bar for work of ``total`` units, ``done`` of them made."""
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=24),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("left"),
            progress.TextColumn("{task.fields[text]}", style="dim"),
        )
        shown = Console(stderr=True)
        bars = progress.Progress(*columns, console=shown, refresh_per_second=PER_SECOND)
        bar = bars.add_task(what, total=total, completed=done, rate="", text="")
        with suppress(OSError):  # the terminal may be closed meanwhile
            bars.start()
        try:
            yield TerminalProgress(bars, bar, Rate(done))
        finally:
            with suppress(OSError):
                bars.stop()


class TerminalProgress:
    """One bar."""

    def __init__(self, bars, bar, rate: "Rate"):
        self._bars, self._bar, self._rate = bars, bar, rate

    def update(self, done: int, text: str = "") -> None:
        """Move the bar."""
        rate = f"{self._rate.at(done):.2f}/s"
        with suppress(OSError):
            self._bars.update(self._bar, completed=done, rate=rate, text=text)


class PlainProgress:
    """Prints a line every ten seconds, and one at the end."""

    def __init__(self, what: str, total: int, rate: "Rate"):
        self._what, self._total, self._rate = what, total, rate
        self._last = time.monotonic()

    def update(self, done: int, text: str = "") -> None:
        """Print a line if the last one is long enough ago."""
        now = time.monotonic()
        if now - self._last < PLAIN_SECONDS and done < self._total:
            return
        self._last = now
        rate = self._rate.at(done)
        left = duration((self._total - done) / rate) if rate else "?"
        words = [f"{self._what} {done}/{self._total}", f"{rate:.2f}/s", f"{left} left"]
        say("  ".join([*words, text]).rstrip(), error=True)


class Rate:
    """Units per second since the work began, in this session."""

    def __init__(self, done: int):
        self._start, self._done = time.monotonic(), done

    def at(self, done: int) -> float:
        """Return the rate when ``done`` units are made."""
        seconds = time.monotonic() - self._start
        return (done - self._done) / seconds if seconds > 0 else 0.0


def duration(seconds: float) -> str:
    """Say a duration: 42 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
