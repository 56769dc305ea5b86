"""What is known of a kernel before it runs: its arguments and its launches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

Ints = dict[str, int]
Triple = tuple[int, int, int]

READ, WRITTEN, BOTH = "in", "out", "inout"
INT, REAL = "int", "real"
LARGEST = 2**31 - 1  # what an int holds
MOST_BLOCKS = 2**16 - 1  # along y and z; along x there may be what an int holds


class Argument(NamedTuple):
    """An argument of a kernel.

    Args:
        name: As in the CUDA C source.
        kind: "in", "out" or "inout" for an array, "int" or "real" for a scalar.
        dtype: Of an array; None for that of the launcher, REAL in the source.
    """

    name: str
    kind: str
    dtype: str | None = None


class Launch(NamedTuple):
    """One function of CUDA C and its geometry, in blocks and in threads."""

    symbol: str
    grid: Triple
    block: Triple


@dataclass(frozen=True)
class Kernel:
    """A computation by name: one launch, or several in a row on the same arguments.

    Args:
        name: Of the kernel, for messages.
        file: The CUDA C source with its functions.
        arguments: In the order of the source.
        launches: From the integer arguments to what is launched.
        dtypes: That REAL may stand for.
    """

    name: str
    file: str
    arguments: tuple[Argument, ...]
    launches: Callable[[Ints], list[Launch]]
    dtypes: tuple[str, ...] = ("float32", "float64")

    def values(self, given: dict[str, Any], array: Any, dtype: Any) -> list[Any]:
        """Return the arguments in order: arrays as they are, scalars as C has them.

        Args:
            given: Arrays, Python ints and floats by name.
            array: The type of an array, numpy.ndarray or cupy.ndarray.
            dtype: The dtype that REAL stands for.

        Raises:
            TypeError: If an argument is missing, unknown, or of the wrong type.
            ValueError: If an int does not fit into 32 bits.
        """
        if numpy.dtype(dtype).name not in self.dtypes:
            raise TypeError(
                f"kernel {self.name} computes in {' or '.join(self.dtypes)}, "
                f"got dtype {numpy.dtype(dtype)}"
            )
        names = [argument.name for argument in self.arguments]
        missing = [name for name in names if name not in given]
        unknown = [name for name in given if name not in names]
        if missing or unknown:
            raise TypeError(
                f"kernel {self.name} takes {', '.join(names)}; "
                f"missing: {missing}, unknown: {unknown}"
            )
        return [self.value(a, given[a.name], array, dtype) for a in self.arguments]

    def value(self, argument: Argument, value: Any, array: Any, dtype: Any) -> Any:
        """Return one argument as C has it."""
        name, kind, own = argument
        if kind == INT:
            return self.int_value(name, value)
        real = numpy.dtype(dtype)
        if kind == REAL:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self.refusal(name, "a Python float", value)
            return real.type(value)
        expected = real if own is None else numpy.dtype(own)
        if not isinstance(value, array) or value.dtype != expected:
            raise self.refusal(name, f"a {array.__module__} array of {expected}", value)
        return value

    def int_value(self, name: str, value: Any) -> numpy.int32:
        """Return an int as C has it.

        Raises:
            ValueError: If it does not fit into 32 bits.
        """
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refusal(name, "a Python int", value)
        if not 0 <= value <= LARGEST:
            raise ValueError(
                f"kernel {self.name}: {name} must be from 0 to {LARGEST}, got {value}"
            )
        return numpy.int32(value)

    def refusal(self, name: str, expected: str, value: Any) -> TypeError:
        """Return the error of an argument of the wrong type."""
        dtype = getattr(value, "dtype", None)
        got = type(value).__name__ + (f" of {dtype}" if dtype is not None else "")
        return TypeError(f"kernel {self.name}: {name} must be {expected}, got {got}")

    def launched(self, given: dict[str, Any]) -> list[Launch]:
        """Return what is launched with arguments.

        Raises:
            ValueError: If a device cannot have so many blocks, or counts them wrongly.
        """
        found = self.launches(self.ints(given))
        for symbol, (x, y, z), _ in found:
            if max(y, z) > MOST_BLOCKS:
                raise ValueError(
                    f"{symbol} would need {x} × {y} × {z} blocks, more than a device "
                    "has; take fewer tasks at a time"
                )
        return found

    def ints(self, given: dict[str, Any]) -> Ints:
        """Return the integer arguments by name."""
        return {a.name: given[a.name] for a in self.arguments if a.kind == INT}


def arguments(description: str) -> tuple[Argument, ...]:
    """Read arguments from groups "kind: name name, kind: name".

    An array of a dtype of its own is "in int64: labels".
    """
    found = []
    for group in description.split(","):
        kind, _, names = group.partition(":")
        kind, _, dtype = kind.strip().partition(" ")
        found += [Argument(name, kind, dtype or None) for name in names.split()]
    return tuple(found)
