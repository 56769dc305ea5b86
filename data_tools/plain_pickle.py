"""Pickles of arrays and plain containers, and no others.

To unpickle is to call what a file names.  Here it may name only what arrays and plain
containers need, as NumPy 1 (``numpy.core``) and NumPy 2 (``numpy._core``) write it, and
every name leads to a stand-in of this file, never to what it is the name of.  Byte
strings of Python 2 come as text, a character a byte (latin1).
"""

import pickle
import re
from typing import Any

import numpy

CODE = re.compile(r"b1|[iu][1248]|f[248]|[SU]\d{1,4}")  # numbers and texts, no objects


class Dtype:
    """What a pickle says of a dtype: its code, then its byte order."""

    def __init__(self, code, *_):
        if not CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"it asks for arrays of {code!a}")
        self.code, self.order = code, "="

    def __setstate__(self, state):
        self.order = state[1]


class Values:
    """An array in a pickle: empty at first, then with shape, dtype and bytes."""

    def __init__(self, *_):
        self.values = numpy.empty(0)

    def __setstate__(self, state):
        shape, dtype, by_columns, data = state[-4:]
        self.values = numbers(data, dtype, shape, "F" if by_columns else "C")


def numbers(data, dtype: Dtype, shape, order: Any = "C") -> numpy.ndarray:
    """Return bytes, or text with a character a byte, as an array."""
    raw = data.encode("latin1") if isinstance(data, str) else data
    plain = numpy.dtype(dtype.code).newbyteorder(dtype.order)
    return numpy.frombuffer(raw, plain).reshape(shape, order=order)


class PlainUnpickler(pickle.Unpickler):
    """An unpickler that finds stand-ins only; see ``array_of``."""

    def __init__(self, stream):
        super().__init__(stream, encoding="latin1")

    def find_class(self, module, name):
        stand_ins = {  # made anew each time: a pickle can change a function it is given
            "numpy.ndarray": Values,
            "numpy.dtype": Dtype,
            "numpy.core.multiarray._reconstruct": Values,
            "numpy.core.multiarray.scalar": lambda t, data: numbers(data, t, ()).item(),
            "numpy.core.numeric._frombuffer": lambda *args: numbers(*args),
            "_codecs.encode": lambda text, _: text.encode("latin1"),
            "collections.OrderedDict": dict,
            **{f"builtins.{t.__name__}": t for t in (set, frozenset, bytearray)},
        }
        known = re.sub(r"^numpy\._core\b", "numpy.core", module)
        known = "builtins" if module == "__builtin__" else known  # Python 2
        if f"{known}.{name}" not in stand_ins:
            raise pickle.UnpicklingError(f"it asks for '{module}.{name}'")
        return stand_ins[f"{known}.{name}"]


def array_of(found: Any) -> numpy.ndarray:
    """Return an array from a pickle, or a list, as an array; of no axis if ragged."""
    try:
        return found.values if isinstance(found, Values) else numpy.asarray(found)
    except ValueError:
        return numpy.array(None)
