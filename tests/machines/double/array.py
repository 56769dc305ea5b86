"""The array: a NumPy array in a wrapper that refuses what ``cupy.ndarray`` refuses.

Every operation unwraps its arguments, calls NumPy and wraps what comes back, so that
its bits are NumPy's.  A result that shares memory with an argument shares its buffer.
"""

import operator
from pathlib import Path

import numpy

from .device import Buffer, Device

IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)
SCALARS = (bool, int, float, complex)  # a subclass, such as an IntEnum, is refused
PLAIN = {*SCALARS, type(None), type(...), slice, str}
ABSENT = {"initial", "where", "writeable", "subok"}  # keywords that CuPy lacks


class ndarray:
    """An array on a device.

    Args:
        host: What it holds.
        buffer: Where.
    """

    __slots__ = ("_buffer", "_host")
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 100

    def __init__(self, host: numpy.ndarray, buffer: Buffer):
        self._host, self._buffer = host, buffer

    @property
    def device(self) -> Device:
        """Where it is."""
        return self._buffer.device

    def __array__(self, *_, **__):
        raise TypeError(IMPLICIT)

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        if method != "__call__":
            return NotImplemented
        return call(self._buffer.device, ufunc, args, kwargs)

    def __array_function__(self, function, _types, args, kwargs):
        return call(self._buffer.device, function, args, kwargs)

    def __getitem__(self, key):
        return call(self._buffer.device, operator.getitem, (self, self._index(key)))

    def __setitem__(self, key, value):
        self._host[unwrapped(self._index(key))] = unwrapped(value)

    def _index(self, key):
        """Return a key, its lists on the device; a mask makes the host wait."""
        parts = key if isinstance(key, tuple) else (key,)
        for part in parts:
            if isinstance(part, list):
                self._buffer.device.upload()
            if isinstance(part, ndarray) and part.dtype == bool:
                self._buffer.device.wait("a mask's entries are counted")
        return key

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return f"device {self.get()!r}"

    def get(self) -> numpy.ndarray:
        """Return a copy on the host."""
        return self._asked("get").copy()

    def _asked(self, how: str) -> numpy.ndarray:
        self._buffer.device.wait(how)
        return self._host


class Forwarded:
    """An attribute or a method that NumPy's array has as well."""

    def __init__(self, name: str):
        self.of_numpy = getattr(numpy.ndarray, name)

    def __get__(self, array, _=None):
        device = array._buffer.device
        if not callable(self.of_numpy):
            value = self.of_numpy.__get__(array._host)
            if isinstance(value, numpy.ndarray):
                return wrapped(device, value, [array])
            return value
        return lambda *args, **kwargs: call(
            device, self.of_numpy, (array, *args), kwargs
        )


def call(device: Device, function, args, kwargs=None):
    """Return function(*args, **kwargs) of what is in the arrays, on the device.

    Raises:
        TypeError: If a NumPy array is among them, or a keyword that CuPy lacks.
    """
    kwargs = dict(kwargs or {})
    if ABSENT & kwargs.keys():
        raise TypeError(f"CuPy has no {', '.join(ABSENT & kwargs.keys())}=")
    out = kwargs.pop("out", None)
    if out is not None:
        out = kwargs["out"] = out[0] if isinstance(out, tuple) else out
    result = function(*unwrapped(tuple(args)), **unwrapped(kwargs))
    return wrapped(device, result, arrays_in(args)) if out is None else out


def unwrapped(value):
    """Return NumPy's arrays for the device's, in tuples, lists and dicts as well.

    Raises:
        TypeError: If there is a NumPy array.
    """
    if isinstance(value, ndarray):
        return value._host
    if type(value) in PLAIN:
        return value
    if isinstance(value, numpy.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, tuple | list):
        return type(value)([unwrapped(v) for v in value])
    if isinstance(value, SCALARS) and not isinstance(value, numpy.generic):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, dict):
        return {name: unwrapped(v) for name, v in value.items()}
    return value


def arrays_in(args):
    """Yield the device's arrays among arguments, and in sequences there."""
    for value in args:
        if isinstance(value, ndarray):
            yield value
        elif isinstance(value, tuple | list):
            yield from arrays_in(value)


def wrapped(device: Device, value, sources):
    """Return what NumPy returned as arrays of the device; scalars become 0-d."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        sources = list(sources)
        return type(value)([wrapped(device, v, sources) for v in value])
    if not isinstance(value, numpy.ndarray | numpy.generic):
        return value
    host = numpy.asarray(value)
    for source in sources:
        if numpy.may_share_memory(host, source._host):
            return ndarray(host, source._buffer)
    return ndarray(host, Buffer(device, host.nbytes))


def binary(function, reflected=False):
    """Return the method of an operator."""

    def method(self, other):
        args = (other, self) if reflected else (self, other)
        return call(self._buffer.device, function, args)

    return method


def in_place(function):
    """Return the method of an operator that changes its first operand."""

    def method(self, other):
        return call(self._buffer.device, function, (self, other), {"out": self})

    return method


def asking(how: str, convert):
    """Return a method by which Python asks for a value: the host waits."""
    return lambda self, *args: convert(self._asked(how), *args)


ARITHMETIC = {
    "add": numpy.add,
    "sub": numpy.subtract,
    "mul": numpy.multiply,
    "truediv": numpy.divide,
    "floordiv": numpy.floor_divide,
    "mod": numpy.remainder,
    "pow": numpy.power,
    "matmul": numpy.matmul,
    "and": numpy.bitwise_and,
    "or": numpy.bitwise_or,
    "xor": numpy.bitwise_xor,
}
COMPARISONS = {
    "lt": numpy.less,
    "le": numpy.less_equal,
    "gt": numpy.greater,
    "ge": numpy.greater_equal,
    "eq": numpy.equal,
    "ne": numpy.not_equal,
}
UNARY = {"neg": numpy.negative, "abs": numpy.absolute, "invert": numpy.invert}
ASKING = {
    "float": float,
    "int": int,
    "bool": bool,
    "complex": complex,
    "index": operator.index,
}
SAME = Path(__file__).with_name("methods.txt").read_text().split()

for name, function in ARITHMETIC.items():
    setattr(ndarray, f"__{name}__", binary(function))
    setattr(ndarray, f"__r{name}__", binary(function, reflected=True))
    setattr(ndarray, f"__i{name}__", in_place(function))
for name, function in COMPARISONS.items():
    setattr(ndarray, f"__{name}__", binary(function))
for name, function in UNARY.items():
    one = lambda self, f=function: call(self._buffer.device, f, (self,))  # noqa: E731
    setattr(ndarray, f"__{name}__", one)
for name, convert in ASKING.items():
    setattr(ndarray, f"__{name}__", asking(name, convert))
for name in ("item", "tolist"):
    setattr(ndarray, name, asking(name, operator.methodcaller(name)))
for name in SAME:
    setattr(ndarray, name, Forwarded(name))
