"""What the drivers share: variants of an implementation, and which levels it answers.

A driver is a module ``with_NAME.py`` that imports the implementation and defines

    PACKAGES   its packages, whose versions are reported
    VARIANTS   name → Variant: how it was set up, and how to make an object to ask

An object answers only what the implementation's own code computes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One way of setting an implementation up.

    Args:
        settings: In words, enough to repeat it.
        make: Returns an object with some of the methods of ``conformance.asking``.
    """

    settings: str
    make: Callable[[], Any]


class Only:
    """Some methods of an object; the levels of the others are not attempted.

    Args:
        subject: The object.
        methods: Names of what the implementation itself computes.
        name: What the report calls it.
    """

    def __init__(self, subject: Any, methods: tuple[str, ...], name: str):
        self.name = name
        for method in methods:
            setattr(self, method, getattr(subject, method))
