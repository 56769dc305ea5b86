"""Who says that there is no trustworthy answer: by a class, or by a warning of its own.

A crash says nothing of the kind, and neither does a warning that comes with right
answers too: of two texts that differ in numbers alone, one is the other.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

# Warnings about the use of a library, not about its answer.
HOUSEKEEPING = (
    DeprecationWarning,
    PendingDeprecationWarning,
    FutureWarning,
    ImportWarning,
)
# NumPy's, SciPy's and torch.linalg's, and our own.
BY_NAME = {"LinAlgError", "NotPositiveDefinite", "Refused"}
NUMBER = re.compile(r"0x[0-9a-f]+|\d+(\.\d*)?(e[-+]?\d+)?|\b(nan|inf)\b")
BETWEEN = "; "


class Refused(ArithmeticError):
    """There is no trustworthy answer; the message says why."""


def refuses(error: Exception, classes: Iterable[type]) -> bool:
    """Whether an exception says that there is no answer, not that a program is broken.

    Args:
        error: The exception.
        classes: Those by which the user's program refuses.
    """
    known = {kind.__name__.lstrip("_") for kind in type(error).__mro__}
    return isinstance(error, tuple(classes)) or bool(known & BY_NAME)


def warned(caught: Iterable[warnings.WarningMessage]) -> list[str]:
    """Return what warnings say of an answer, with their class where it is special."""
    return [
        str(w.message)
        if w.category is UserWarning
        else f"{w.category.__name__}: {w.message}"
        for w in caught
        if not issubclass(w.category, HOUSEKEEPING)
    ]


def signs(said: str, case: str) -> Mapping[str, str]:
    """Return each thing said of a case, by its text without the case and numbers."""
    pieces = [piece.strip() for piece in said.split(BETWEEN.strip())]
    return {
        " ".join(NUMBER.sub("#", piece.replace(case, "#")).split()): piece
        for piece in pieces
        if piece
    }


def everyday(heard: Iterable[tuple[str, Iterable[str], bool]]) -> frozenset[str]:
    """Return what is said with right answers, or with every answer of a level.

    Args:
        heard: For each answer where one can be trusted its level, its signs, and
            whether it is right.
    """
    common: set[str] = set()
    by_level: dict[str, list[frozenset[str]]] = {}
    for level, found, right in heard:
        by_level.setdefault(level, []).append(frozenset(found))
        common.update(found if right else ())
    many = [each for each in by_level.values() if len(each) > 1]
    return frozenset(common).union(*(frozenset.intersection(*each) for each in many))


def refusals_of(*owners: Any) -> tuple[type, ...]:
    """Return the classes that objects name in their attribute ``refusals``.

    Raises:
        TypeError: If one is no class of exceptions.
    """
    found = [kind for owner in owners for kind in getattr(owner, "refusals", ())]
    for kind in found:
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise TypeError(f"refusals are classes of exceptions, got {kind!r}")
    return tuple(found)
