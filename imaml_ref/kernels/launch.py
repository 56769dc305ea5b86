"""Compile the CUDA C sources and launch their functions, through CuPy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

from ..compute import Array
from .table import KERNELS

SOURCES = Path(__file__).parent
# Written out here: what a compiler finds by itself, CuPy does not see change.
INCLUDE = re.compile(r'^#include "(.*)"$', re.MULTILINE)
C_NAMES = {"float32": "float", "float64": "double"}


def source(file: str) -> str:
    """Return the text of a CUDA C source, with that of the files it includes."""
    text = (SOURCES / file).read_text(encoding="utf-8")
    return re.sub(INCLUDE, lambda include: source(include[1]), text)


def options(dtype: Any) -> tuple[str, ...]:
    """Return what the compiler is told: the standard, and what REAL stands for.

    Raises:
        TypeError: If the dtype is neither float32 nor float64.
    """
    name = numpy.dtype(dtype).name
    if name not in C_NAMES:
        raise TypeError(f"kernels compute in float32 or float64, got dtype {name}")
    return "-std=c++17", f"-DREAL={C_NAMES[name]}"


class Launcher:
    """Runs kernels by name on CuPy arrays, on the current stream.

    A source is compiled when a function of it is first asked for; CuPy keeps what it
    compiled on disk.

    Args:
        dtype: float32 or float64, of all real arrays.
    """

    def __init__(self, dtype: Any):
        import cupy

        self.options, self.dtype = options(dtype), numpy.dtype(dtype)
        self._cupy = cupy
        self._modules: dict[str, Any] = {}

    def zeros(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """Return a device array of zeros, real if no dtype is given."""
        return self._cupy.zeros(shape, self.dtype if dtype is None else dtype)

    def __call__(self, name: str, **arguments: Any) -> None:
        """Launch a kernel of the table with its arguments by name."""
        self.bind(name, **arguments)()

    def bind(self, name: str, **arguments: Any) -> Callable[[], None]:
        """Check the arguments once; return what launches the kernel with them."""
        kernel = KERNELS[name]
        values = tuple(kernel.values(arguments, self._cupy.ndarray, self.dtype))
        calls = [
            (self.function(kernel.file, launch.symbol), launch.grid, launch.block)
            for launch in kernel.launched(arguments)
        ]

        def run() -> None:
            for function, grid, block in calls:
                function(grid, block, values)

        return run

    def function(self, file: str, symbol: str) -> Any:
        """Return a compiled function of a source."""
        if file not in self._modules:
            self._modules[file] = self._cupy.RawModule(
                code=source(file), options=self.options
            )
        return self._modules[file].get_function(symbol)
