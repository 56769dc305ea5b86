"""Launches on arrays that stay where they are: written once, run again and again.

A sweep makes the same launches on the same arrays a hundred times.  A program keeps
them, each bound to its arguments.  Run once one by one, it is recorded as a graph when
it is run again, and from then on a run is one call.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from .stage import stage


class Program:
    """A list of launches, written by ``do`` and made by ``run``.

    Args:
        space: The arrays it works on, a ``graphs.Space`` or what stands in for it.
        parts: Programs whose launches it makes, one after another.
    """

    def __init__(self, space: Any, *parts: "Program"):
        self.space = space
        self.names: list[str] = []
        self._calls: list[Callable[[], None]] = []
        self._warm = False
        for part in parts:
            self.names += part.names
            self._calls += part._calls

    def do(self, name: str, **arguments) -> None:
        """Write down a launch of a kernel of the table."""
        self.names.append(name)
        self._calls.append(self.space.bind(name, **arguments))

    def run(self) -> None:
        """Make the launches."""
        if stage() == "graphs" and self._warm:
            self.graph()
        else:
            # What a first launch compiles or sets up must not be part of a recording.
            self.launch()
            self._warm = True

    def launch(self) -> None:
        """Make the launches one by one."""
        for call in self._calls:
            call()

    @cached_property
    def graph(self) -> Callable[[], None]:
        """All launches as one, recorded when first asked for."""
        return self.space.record(self.launch)
