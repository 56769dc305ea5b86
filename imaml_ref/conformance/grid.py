"""Numbers that every machine draws alike: multiples of 2⁻¹⁰ from raw random bits.

NumPy promises the raw bits of its bit generators for ever, but not what its
distributions make of them; so the suite takes the bits alone.
"""

import numpy

UNIT = 2.0**-10


class Grid:
    """A stream of numbers on the grid.

    Args:
        seed: The same seed gives the same numbers.
    """

    def __init__(self, seed: int):
        self.bits = numpy.random.PCG64(seed)

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> numpy.ndarray:
        """Draw integers from low to high, both included."""
        raw = self.bits.random_raw(int(numpy.prod(shape, dtype=int)))
        span = numpy.uint64(high - low + 1)
        return (raw % span).astype(numpy.int64).reshape(shape) + low

    def reals(self, shape: tuple[int, ...], span: float = 1.0) -> numpy.ndarray:
        """Draw multiples of 2⁻¹⁰ from −span to span."""
        return self.between(shape, -span, span)

    def between(self, shape: tuple[int, ...], low: float, high: float) -> numpy.ndarray:
        """Draw multiples of 2⁻¹⁰ from low to high."""
        return self.integers(int(low / UNIT), int(high / UNIT), shape) * UNIT


def on_grid(a: numpy.ndarray) -> bool:
    """Whether every entry is a multiple of 2⁻¹⁰."""
    return bool((numpy.round(a / UNIT) == a / UNIT).all())
