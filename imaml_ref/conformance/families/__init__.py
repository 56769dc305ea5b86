"""Families of mistakes: each has numbers, which are worked out from the answers.

Knows cases and what was answered.  Must not know what a report says of it.
"""

from . import inner, operators, outer, results, solvers, ten_steps, unrolled
from .family import FAMILIES, Family

TOPICS = (operators, results, solvers, inner, outer, ten_steps, unrolled)

__all__ = ["FAMILIES", "Family"]
