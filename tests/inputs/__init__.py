"""Inputs drawn from a seed, each with the outcome that it must have.

The outcome comes from elsewhere: from NumPy's arithmetic and solvers, from a table that
is written here by hand; or it is a refusal, one line that names the thing.  The code
under test is never asked what to expect.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

SEED = 20261130


class Drawn(NamedTuple):
    """One input.

    Args:
        label: What was drawn, in words.
        ask: Does it, in an empty folder, and returns what came; may raise.
        expected: A function of what came, which asserts; or, for an input that must be
            refused, the words that the line must hold, one of which may be a choice.
    """

    label: str
    ask: Callable[[Path], object]
    expected: Callable[[object], None] | tuple[str, ...]


def generator(part: str) -> np.random.Generator:
    """Return the generator of a part, so that parts do not move one another."""
    return np.random.default_rng([SEED, *part.encode()])


def pick(rng: np.random.Generator, choices):
    """Return one of some things, of whatever kind they are."""
    choices = list(choices)
    return choices[rng.integers(len(choices))]


def take(draw: Callable[[np.random.Generator], Drawn], part: str, count: int):
    """Yield a number of draws whose labels differ."""
    rng, seen = generator(part), set()
    while len(seen) < count:
        drawn = draw(rng)
        if drawn.label not in seen:
            seen.add(drawn.label)
            yield drawn


Draws = Iterator[Drawn]
