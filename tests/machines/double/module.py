"""The module: the names that CuPy has, and no other, in the place of ``cupy``."""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy
import scipy.special

from .array import call, ndarray, wrapped
from .device import Buffer, Device, OutOfMemory

NAMES = set(Path(__file__).with_name("names.txt").read_text().split())
LINALG = ("eigh", "inv", "svd")  # of stacks of matrices, as CuPy has them
WAITING = {"nonzero", "argwhere", "flatnonzero", "unique", "extract", "compress"}


class Module(types.ModuleType):
    """Looks like ``cupy``; every function is NumPy's, on arrays of the device.

    Args:
        device: Where its arrays live.
    """

    ndarray = ndarray

    def __init__(self, device: Device):
        super().__init__("cupy")
        self._device = device
        self.cuda = types.SimpleNamespace(
            is_available=lambda: True,
            memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemory),
        )
        self.lib = types.SimpleNamespace(
            stride_tricks=types.SimpleNamespace(as_strided=self._as_strided)
        )
        self.linalg = types.SimpleNamespace(**{n: self._solver(n) for n in LINALG})

    def __getattr__(self, name: str):
        if name not in NAMES or not hasattr(numpy, name):
            raise AttributeError(f"module 'cupy' has no attribute {name!r}")
        found = getattr(numpy, name)
        if isinstance(found, type) or not callable(found):
            return found

        def function(*args, **kwargs):
            if name in WAITING:
                self._device.wait(name)
            return call(self._device, found, args, kwargs)

        setattr(self, name, function)
        return function

    def array(self, a, dtype=None) -> ndarray:
        """Return a copy of an array, or of what NumPy makes one of."""
        if isinstance(a, ndarray):
            return a.copy() if dtype is None else a.astype(dtype)
        self._device.upload()
        host = numpy.array(a, dtype=dtype)
        return ndarray(host, Buffer(self._device, host.nbytes))

    def asarray(self, a, dtype=None) -> ndarray:
        """Return an array on the device: the same one, if it is there already."""
        same = isinstance(a, ndarray) and dtype in (None, a.dtype)
        return a if same else self.array(a, dtype)

    def asnumpy(self, a) -> numpy.ndarray:
        """Return an array on the host."""
        return a.get() if isinstance(a, ndarray) else numpy.asarray(a)

    def get_array_module(self, *arrays):
        """Return this module, if one of the arrays is on the device, or NumPy."""
        return self if any(isinstance(a, ndarray) for a in arrays) else numpy

    def _solver(self, name: str):
        def function(*args, **kwargs):
            def plain(*args, **kwargs):
                found = getattr(numpy.linalg, name)(*args, **kwargs)
                return tuple(found) if isinstance(found, tuple) else found

            return call(self._device, plain, args, kwargs)

        return function

    def _as_strided(self, x, shape=None, strides=None):
        view = numpy.lib.stride_tricks.as_strided(x._host, shape, strides)
        return wrapped(self._device, view, [x])


def special(device: Device) -> types.SimpleNamespace:
    """Return ``cupyx.scipy.special``: the one function that a layer asks for."""

    def erfc(a):
        return call(device, scipy.special.erfc, (a,), {})

    return types.SimpleNamespace(erfc=erfc)


@contextmanager
def device_double() -> Iterator[Device]:
    """A context in which ``cupy`` is the double; yields its device."""
    device = Device()
    double = {"cupy": Module(device), "cupyx.scipy.special": special(device)}
    before = {name: sys.modules.get(name) for name in double}
    sys.modules.update(double)
    try:
        yield device
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module
