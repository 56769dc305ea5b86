"""Checks of a solver's options, made when it is built."""

from collections.abc import Collection


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Require one of the choices.

    Raises:
        ValueError: If it is none of them; the message lists them.
    """
    if value not in choices:
        listed = ", ".join(repr(c) for c in choices)
        raise ValueError(f"{name} must be one of {listed}, got {value!r}")


def check_tolerance(name: str, value: float) -> None:
    """Require a finite number that is not negative.

    Raises:
        ValueError: If it is negative, infinite, NaN, or no number.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")


def check_count(name: str, value: int | None, *, least: int = 1) -> None:
    """Require a whole number, or None for the solver's own default.

    Raises:
        ValueError: If it is not whole, or below the least.
    """
    if value is None:
        return
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
