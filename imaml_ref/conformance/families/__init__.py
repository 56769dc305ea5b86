"""Families of mistakes: each has numbers, which are worked out from the answers.

Knows cases and what was answered.  Must not know what a report says of it.
"""

from . import (
    adam_steps,
    derivatives,
    images,
    inner,
    inner_solutions,
    losses,
    network,
    operators,
    outer,
    results,
    sgd_steps,
    solvers,
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
    *(
        operators,
        results,
        solvers,
        inner,
        inner_solutions,
        network,
        images,
        losses,
        outer,
        derivatives,
    ),
    *(sgd_steps, adam_steps, unrolled),
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
