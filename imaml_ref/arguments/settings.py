"""The door for settings: what a caller may give, and what is kept of it.

A setting is a number, a count, a pair or a word.  Any real scalar means its number,
Python's own, NumPy's or another library's; what is kept is Python's, so that nothing a
setting touches changes its dtype: an array of float32 times a ``numpy.float64`` would.
A truth value is no number.
"""

from collections.abc import Callable, Collection
from dataclasses import MISSING, field, fields, is_dataclass
from decimal import Decimal
from numbers import Integral, Real
from operator import index
from typing import Any

import numpy

from .shown import brief

Check = Callable[[str, Any], Any]
NO_NUMBERS = bool, numpy.timedelta64  # though Python and NumPy count them as such
IN_WORDS = {"(0, inf)": "a finite number > 0", "[0, inf)": "a finite number >= 0"}


def setting(check: Check, default: Any = MISSING, *, make: Any = MISSING) -> Any:
    """Return a field of ``Settings`` with its check.

    Args:
        check: Returns what is kept of a value, or raises ValueError.
        default: Of the field; none if left out.
        make: Makes the default, afresh for each.
    """
    return field(default=default, default_factory=make, metadata={"check": check})


class Settings:
    """What a frozen dataclass inherits to keep of its settings what checks return.

    Raises:
        ValueError: If one is not what it must be.
    """

    def __post_init__(self):
        known: dict[str, Check] = {}
        # A subclass that gives a setting another default keeps its check.
        for kind in filter(is_dataclass, reversed(type(self).__mro__)):
            checks = {f.name: f.metadata.get("check") for f in fields(kind)}
            known |= {name: check for name, check in checks.items() if check}
        adopt(self, **known)


def adopt(bag: Any, **checks: Check) -> None:
    """Check the settings of a frozen dataclass, and keep what the checks return.

    Raises:
        ValueError: If one is not what it must be.
    """
    for name, check in checks.items():
        object.__setattr__(bag, name, check(name, getattr(bag, name)))


def optional(check: Check) -> Check:
    """Return the check that lets None pass as well."""
    return lambda name, value: None if value is None else check(name, value)


def number(interval: str) -> Check:
    """Return the check of a real number in an interval, such as ``"(0, 1]"``."""
    low, high = map(float, interval[1:-1].split(","))

    def check(name: str, value: Any) -> float:
        found = as_float(value)
        above = found >= low if interval[0] == "[" else found > low
        below = found <= high if interval[-1] == "]" else found < high
        if not (above and below):
            wanted = IN_WORDS.get(interval, f"a number in {interval}")
            raise ValueError(f"{name} must be {wanted}, got {brief(value)}")
        return found

    return check


def whole(least: int = 1) -> Check:
    """Return the check of an integer that is not below the least."""

    def check(name: str, value: Any) -> int:
        found = plain(value)
        if not is_integer(found) or found < least:
            got = brief(value)
            raise ValueError(f"{name} must be an integer >= {least}, got {got}")
        return index(found)

    return check


def sizes(example: tuple[int, ...], *, least: int = 1) -> Check:
    """Return the check of a sequence of integers.

    Args:
        example: One such, for the message.
        least: None of them is below.
    """

    def check(name: str, value: Any) -> tuple[int, ...]:
        given = hasattr(value, "__iter__") and not isinstance(value, str | bytes)
        found = tuple(map(plain, value)) if given else ()
        if not given or not all(is_integer(n) and n >= least for n in found):
            raise ValueError(
                f"{name} must be integers >= {least} such as {example}, "
                f"got {brief(value)}"
            )
        return tuple(map(index, found))

    return check


def pair(least: int) -> Check:
    """Return the check of two integers, (down, across), not below the least."""

    def check(name: str, value: Any) -> tuple[int, ...]:
        found = sizes((max(least, 2),) * 2, least=least)(name, value)
        if len(found) != 2:
            raise ValueError(f"{name} must be two integers, got {brief(value)}")
        return found

    return check


def one_of(choices: Collection[str]) -> Check:
    """Return the check of a word."""

    def check(name: str, value: Any) -> str:
        word = plain(value)
        if not isinstance(word, str) or word not in choices:
            listed = ", ".join(repr(c) for c in choices)
            raise ValueError(f"{name} must be one of {listed}, got {brief(value)}")
        return word

    return check


def truth(name: str, value: Any) -> bool:
    """Require a truth value: a text such as "no" would be taken for true.

    Raises:
        ValueError: If it is something else.
    """
    found = plain(value)
    if not isinstance(found, bool):
        raise ValueError(f"{name} must be True or False, got {brief(value)}")
    return found


def having(method: str, example: str) -> Check:
    """Return the check of an object with a method.

    Args:
        method: Its name.
        example: What to give, for the message.
    """

    def check(name: str, value: Any) -> Any:
        if isinstance(value, type) or not callable(getattr(value, method, None)):
            raise ValueError(
                f"{name} must be an object with {method}(), such as {example}, "
                f"got {brief(value)}"
            )
        return value

    return check


def a_layer(name: str, value: Any) -> Any:
    """Require the sweeps of a layer, and the shapes of its parameters.

    Raises:
        ValueError: If it has them not.
    """
    having("vjp_dot", "ReLU()")(name, value)
    if not hasattr(value, "shapes"):
        raise ValueError(
            f"{name}, {brief(value)}, has no shapes of parameters; "
            "let its class inherit from imaml_ref.layers.Layer"
        )
    return value


def plain(value: Any) -> Any:
    """Return a scalar of an array library as Python's own; all else as it is."""
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    scalar = hasattr(value, "item") and getattr(value, "ndim", None) == 0
    return value.item() if scalar and kind in "biufU" else value


def as_float(value: Any) -> float:
    """Return a real scalar as a float; NaN for anything else."""
    value = plain(value)
    if not isinstance(value, Real | Decimal) or isinstance(value, NO_NUMBERS):
        return float("nan")
    try:
        return float(value)
    except (OverflowError, ValueError):  # beyond a float; a signalling NaN
        return float("nan")


def is_integer(value: Any) -> bool:
    """Whether what ``plain`` returned is an integer."""
    return isinstance(value, Integral) and not isinstance(value, NO_NUMBERS)
