"""How long work tells what it does; the silent one is for use from Python."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """One piece of work with a known end."""

    def update(self, done: int, text: str = "") -> None:
        """Say how much is done, in the unit of the total, and how it goes."""
        ...


class Reporter(Protocol):
    """Where a run tells its story."""

    def note(self, text: str) -> None:
        """Say one line."""
        ...

    def progress(
        self, what: str, total: int, *, done: int = 0
    ) -> AbstractContextManager[Progress]:
        """Return a context for work of ``total`` units, ``done`` of them made."""
        ...


class Silent:
    """A reporter, and its own progress, that says nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def progress(
        self, what: str, total: int, *, done: int = 0
    ) -> AbstractContextManager["Silent"]:
        """Return a context in which nothing is said."""
        return nullcontext(self)

    def update(self, done: int, text: str = "") -> None:
        """Say nothing."""
