"""The same sweeps with fewer passes over memory and fewer words from Python.

The layers of ``imaml_ref.layers`` are the mathematics, one operation each, on NumPy and
CuPy, complex-safe.  Here convolution, batch normalisation and ReLU are one block, for
real arrays on the host, and a sweep is a list of calls on arrays that stay where they
are.  What is computed is the same, to rounding, and every test of a network runs on
both.  ``IMAML_REF_PLAIN=1`` in the environment, or ``with plain_path():``, leaves them
out.  Must not know who asks for a sweep, nor what becomes of it.
"""

from .examples import FusedExamples, FusedLinearization
from .lending import FusedNetwork
from .path import is_plain, plain_path
from .pieces import Piece, covers, padded_by

__all__ = [
    "FusedExamples",
    "FusedLinearization",
    "FusedNetwork",
    "Piece",
    "covers",
    "is_plain",
    "padded_by",
    "plain_path",
]
