"""Families of mistakes: each has numbers, which are worked out from the answers.

Knows cases and what was answered.  Must not know what a report says of it.
"""

from . import (
    derivatives,
    images,
    inner,
    losses,
    network,
    operators,
    outer,
    results,
    solvers,
    ten_steps,
    unrolled,
)
from .family import (
    FAMILIES,
    META,
    SOLVE,
    Family,
    Real,
    of_answers,
    of_operator,
    of_rows,
    of_side,
)

TOPICS = (
    *(operators, results, solvers, inner, network, images, losses, outer, derivatives),
    *(ten_steps, unrolled),
)

__all__ = [
    "FAMILIES",
    "META",
    "SOLVE",
    "Family",
    "Real",
    "of_answers",
    "of_operator",
    "of_rows",
    "of_side",
]
