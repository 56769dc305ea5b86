"""Launches on arrays that stay where they are: written once, run again and again.

A sweep makes the same launches on the same arrays a hundred times.  A program keeps
them, each bound to its arguments.  Run once one by one, it is recorded as a graph when
it is run again, and from then on a run is one call.

Most launches need what the one before has written.  What is wanted only at the end,
such as the cotangent of a kernel, is launched aside: in a graph it may run beside those
that follow, until they join.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

from .stage import current_stage

Launch = Callable[[], None]


class InTurn:
    """Nothing runs beside anything else; ``graphs.Branch`` knows another way."""

    def aside(self) -> AbstractContextManager:
        """Return a context whose launches need not be waited for."""
        return nullcontext()

    def join(self) -> None:
        """Wait for what was launched aside."""


class Program:
    """A list of launches, written by ``do`` and ``aside`` and made by ``run``.

    Args:
        space: The arrays it works on, a ``Space``.
        parts: Programs whose launches it makes, one after another.
    """

    def __init__(self, space: Any, *parts: "Program"):
        self.space = space
        self.names: list[str] = []
        self._steps: list[Callable[[Any], None]] = []
        self._warm = False
        for part in parts:
            self.names += part.names
            self._steps += part._steps

    def do(self, name: str, **arguments) -> None:
        """Write down a launch of a kernel of the table."""
        launch = self._bound(name, arguments)
        self._steps.append(lambda branch: launch())

    def aside(self, name: str, **arguments) -> None:
        """Write down a launch whose results nobody reads, or writes, before a join."""
        launch = self._bound(name, arguments)

        def step(branch: Any) -> None:
            with branch.aside():
                launch()

        self._steps.append(step)

    def join(self) -> None:
        """Let what follows wait for what is aside."""
        self._steps.append(lambda branch: branch.join())

    def _bound(self, name: str, arguments: dict) -> Launch:
        self.names.append(name)
        return self.space.bind(name, **arguments)

    def run(self) -> None:
        """Make the launches."""
        if current_stage().graphs and self._warm:
            self.graph()
        else:
            # What a first launch compiles or sets up must not be part of a recording.
            self.launch()
            self._warm = True

    def launch(self, branch: Any = None) -> None:
        """Make the launches one by one.

        Args:
            branch: Where those go that are aside; None makes all of them in turn.
        """
        branch = branch or InTurn()
        for step in self._steps:
            step(branch)

    @cached_property
    def graph(self) -> Launch:
        """All launches as one, recorded when first asked for."""
        return self.space.record(self.launch)
