"""Implicit MAML in NumPy and CuPy, with every derivative written by hand."""

from ._version import __version__

__all__ = ["__version__"]
