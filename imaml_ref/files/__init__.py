"""Files that are whole or absent, and that say what they are.

Knows HDF5, names and renames.  Must not know what the arrays in a file mean.
"""

from .whole import (
    BadFile,
    atomic_h5,
    atomic_path,
    check_writable,
    naming,
    open_h5,
    text_of,
    whole,
)

__all__ = [
    "BadFile",
    "atomic_h5",
    "atomic_path",
    "check_writable",
    "naming",
    "open_h5",
    "text_of",
    "whole",
]
