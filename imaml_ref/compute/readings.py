"""What the host learns of a device: one value at a time, or many in one copy, later.

A host that asks a device for a number waits until all that is queued there is done, and
the device then waits for the host.  So what is measured is written

    read(make, *parts)

and is ``make`` of the parts, once they are on the host.  Of host arrays it is made at
once.  Of device arrays as well, unless readings are ``waiting``: then it is a
``Reading``, and ``settle`` brings the arrays of many readings over in one copy.

Errors that ``make`` raises come when a reading is settled, in the order in which the
readings were made: the first is the one that would have come at once.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy

from .backend import Array, array_module

Around = Callable[[], AbstractContextManager]

_waiting: ContextVar[list["Reading"] | None] = ContextVar("waiting", default=None)
_around: ContextVar[Around] = ContextVar("around", default=nullcontext)


class Reading:
    """A value that is known once the arrays it is made of are on the host.

    Args:
        make: Makes the value of the parts' values.
        parts: Device arrays, other readings, and anything that is what it is.
    """

    def __init__(self, make: Callable[..., Any], parts: tuple):
        self._make, self._parts, self._around = make, parts, _around.get()
        self._known, self._value = False, None

    def unread(self) -> Iterator[Array]:
        """Yield the device arrays that it waits for."""
        for part in self._parts:
            if isinstance(part, Reading):
                yield from part.unread()
            elif on_device(part):
                yield part

    def settled(self, copies: dict[int, numpy.ndarray]) -> Any:
        """Return the value, made once, from copies of the arrays by their ``id``."""
        if not self._known:
            parts = [
                p.settled(copies) if isinstance(p, Reading) else copies.get(id(p), p)
                for p in self._parts
            ]
            with self._around():
                self._value = self._make(*parts)
            self._known, self._parts = True, ()
        return self._value


def read(make: Callable[..., Any], *parts: Any) -> Any:
    """Return make(*parts) with every device array on the host; or a ``Reading`` of it.

    Args:
        make: A function of what the parts are on the host.
        parts: Arrays, readings, and anything that is what it is.
    """
    if not any(isinstance(part, Reading) or on_device(part) for part in parts):
        return make(*parts)
    reading, waiting_ones = Reading(make, parts), _waiting.get()
    if waiting_ones is None:
        return value_of(reading)
    waiting_ones.append(reading)
    return reading


@contextmanager
def holding(variable: ContextVar, value: Any) -> Iterator[Any]:
    """A context in which a variable has another value, which it yields."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def waiting() -> AbstractContextManager[list[Reading]]:
    """A context in which readings of device arrays wait; yields the list of them."""
    return holding(_waiting, [])


@contextmanager
def settling_in(context: Around) -> Iterator[None]:
    """A context whose readings are settled in a context of their own, and it in it.

    What turns errors into others does so when they come.

    Args:
        context: Makes the context, afresh for each reading.
    """
    outer = _around.get()

    @contextmanager
    def both():
        with outer(), context():
            yield

    with holding(_around, both), context():
        yield


def is_waiting() -> bool:
    """Whether readings of device arrays wait here."""
    return _waiting.get() is not None


def settle(readings: Iterable[Reading]) -> None:
    """Bring over what readings wait for, in one copy, and make their values in order.

    Raises:
        Exception: What the first of them that fails raises.
    """
    readings = list(readings)
    copies = copies_for(readings)
    for reading in readings:
        reading.settled(copies)


def read_together(compute: Callable[[], Any]) -> Any:
    """Return compute(), all readings of which were brought over in one copy."""
    with waiting() as readings:
        found = compute()
    settle(readings)
    return value_of(found)


def copies_for(readings: Iterable[Reading]) -> dict[int, numpy.ndarray]:
    """Return what readings wait for, copied in one go, by the ``id`` of the arrays."""
    found = {id(a): a for reading in readings for a in reading.unread()}
    # Neighbours of one dtype are put together by a single kernel.
    arrays = sorted(found.values(), key=lambda a: a.dtype.str)
    return dict(zip(map(id, arrays), fetched(arrays), strict=True))


def value_of(value: Any) -> Any:
    """Return what a reading stands for, settled now if need be; else the value."""
    if not isinstance(value, Reading):
        return value
    settle([value])
    return value.settled({})


def fetched(arrays: list[Array]) -> list[numpy.ndarray]:
    """Return device arrays on the host, all of them in one copy.

    They travel in float64 (or complex128), which holds what they hold: other floats,
    truth values, and integers below 2⁵³.
    """
    if not arrays:
        return []
    wide = numpy.result_type(numpy.float64, *(a.dtype for a in arrays))
    xp = array_module(*arrays)
    of_one_dtype = [
        xp.concatenate([a.ravel() for a in group]).astype(wide)
        for _, group in groupby(arrays, key=attrgetter("dtype"))
    ]
    together = xp.concatenate(of_one_dtype).get()
    ends = numpy.cumsum([a.size for a in arrays])
    parts = numpy.split(together, ends[:-1])
    return [
        (part if a.dtype.kind == "c" else part.real).astype(a.dtype).reshape(a.shape)
        for part, a in zip(parts, arrays, strict=True)
    ]


def on_device(value: Any) -> bool:
    """Whether a value is an array on a device."""
    return hasattr(value, "get") and hasattr(value, "dtype")
