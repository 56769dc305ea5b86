"""Families of mistakes: each has numbers, which are worked out from the answers."""

from . import formula, inner, losses, network, outer, solvers, unrolled
from .family import FAMILIES, META, SOLVE, Family, Real
from .family import of_answers, of_operator, of_rows, of_side

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
