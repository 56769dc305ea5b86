"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")
SECONDS_PER_LINE = 5.0


def track(items: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
    """Yield the items while showing how many are done, at which rate, and time left.

    Args:
        items: What is worked on.
        total: How many they are.
        doing: What is done to them, such as ``"packing images"``.
    """
    console = Console(file=sys.stderr)
    show = bar if console.is_terminal else lines
    return show(items, total, doing)


def bar(items: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
    """Show a bar of rich on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task(doing, total=total, rate="")
        started = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            rate = done / max(time.monotonic() - started, 1e-9)
            progress.update(task, advance=1, rate=f"{rate:,.0f}/s")


def lines(items: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
    """Print a line every few seconds, and one at the end, on standard error."""
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_PER_LINE or done == total:
            last = now
            rate = done / max(now - started, 1e-9)
            left = f"{(total - done) / rate:.0f} s left"
            print(
                f"{doing}: {done} of {total}, {rate:,.0f}/s, {left}",
                file=sys.stderr,
                flush=True,
            )
