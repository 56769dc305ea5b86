"""Families of mistakes: each has numbers, which are worked out from the answers."""

from . import formula, images, inner, losses, network, outer, solvers, unrolled
from .family import FAMILIES, Family

__all__ = ["FAMILIES", "Family"]
