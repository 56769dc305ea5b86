"""A clock that gives every moment of a call to exactly one part of the work.

Functions that are watched carry a label.  A watched function that another one calls
interrupts it: the time of each is its own, without that of those it calls, so the own
times add up to the time of the outermost call.  What watching costs is measured on
functions that do nothing, by what it adds to the function's own time and to its
caller's, and subtracted.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from time import perf_counter_ns
from typing import Any, NamedTuple

PROBES, REPEATS = 1_000, 25


class Label(NamedTuple):
    """Which block of the network, empty for none, and which kind of work."""

    block: str
    kind: str


class Cost(NamedTuple):
    """Nanoseconds that watching a call adds: to its own time, to its caller's."""

    own: float
    caller: float


class Clock:
    """Own times of watched calls, by label, in nanoseconds."""

    def __init__(self) -> None:
        self.own: Counter[Label] = Counter()
        self.calls: Counter[Label] = Counter()
        self.called: Counter[Label] = Counter()
        self.whole = 0
        self._open: list[list] = []

    @property
    def block(self) -> str:
        """The block of the call that is under way."""
        return self._open[-1][0].block if self._open else ""

    def call(self, label: Label, function: Callable, *args: Any, **options: Any) -> Any:
        """Make a call and return what it returns."""
        entry: list = [label, 0]
        self._open.append(entry)
        start = perf_counter_ns()
        try:
            return function(*args, **options)
        finally:
            took = perf_counter_ns() - start
            self._open.pop()
            self.own[label] += took - entry[1]
            self.calls[label] += 1
            self.charge(took)

    def charge(self, took: int) -> None:
        """Take time that is accounted for already out of the caller's own."""
        if self._open:
            caller = self._open[-1]
            caller[1] += took
            self.called[caller[0]] += 1
        else:
            self.whole += took

    def seconds(self, cost: Cost) -> dict[Label, float]:
        """Return the own times without what watching costs."""
        return {
            label: 1e-9
            * (own - self.calls[label] * cost.own - self.called[label] * cost.caller)
            for label, own in self.own.items()
        }


def watched(clock: Clock, function: Callable, label: Label | Callable) -> Callable:
    """Return a function that a clock watches; its label may depend on the arguments."""

    @wraps(function)
    def call(*args, **options):
        found = label(*args) if callable(label) else label
        return clock.call(found, function, *args, **options)

    return call


@contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Set attributes (owner, name, value) for as long as the ``with`` lasts."""
    with ExitStack() as stack:
        for owner, name, value in changes:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


def measured_cost() -> Cost:
    """Return what watching costs; the least of several, others may use the machine."""
    own, caller, loop = map(min, zip(*(probes() for _ in range(REPEATS)), strict=True))
    return Cost(own, caller - loop)


def probes() -> tuple[float, float, float]:
    """Return own time and caller's time of a watched call, and a call's unwatched."""
    clock, nothing, outside = Clock(), Label("", "nothing"), Label("", "outside")
    inner = watched(clock, lambda: None, nothing)

    def many(function):
        for _ in range(PROBES):
            function()

    clock.call(outside, many, inner)
    start = perf_counter_ns()
    many(lambda: None)
    loop = perf_counter_ns() - start
    return clock.own[nothing] / PROBES, clock.own[outside] / PROBES, loop / PROBES
