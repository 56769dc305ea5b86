"""Checks of a solver's options, made when it is built; they return what is kept."""

from collections.abc import Collection
from typing import Any

from ..arguments import number, one_of, whole


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Require one of the choices.

    Raises:
        ValueError: If it is none of them; the message lists them.
    """
    return one_of(choices)(name, value)


def check_tolerance(name: str, value: Any) -> float:
    """Require a finite number that is not negative.

    Raises:
        ValueError: If it is negative, infinite, NaN, or no number.
    """
    return number("[0, inf)")(name, value)


def check_count(name: str, value: Any, *, least: int = 1) -> int | None:
    """Require a whole number, or None for the solver's own default.

    Raises:
        ValueError: If it is not whole, or below the least.
    """
    return None if value is None else whole(least)(name, value)
