"""One row of the table, and the setting in which it is measured."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy

from ..checks import MOST_DIGITS, Check, Report, digits
from ..compute import Array, to_device, to_host

DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Row:
    """One claim and how well it holds.

    Args:
        part: What it is about: a layer, a network, a solver.
        claim: What is claimed of it.
        witness: What it was compared with.
        digits: Decimal digits of agreement, 0 to 16.
        required: Digits that it takes to pass.
    """

    part: str
    claim: str
    witness: str
    digits: float
    required: float

    @property
    def passed(self) -> bool:
        """Whether enough digits agree."""
        return self.digits >= self.required


@dataclass(frozen=True)
class Setting:
    """Where and in what the subject runs.

    Args:
        device: "cpu" or "cuda".
        dtype: Of all real arrays.
        quick: Whether to leave out what takes long.
    """

    device: str
    dtype: numpy.dtype
    quick: bool

    def put(self, a: Any) -> Any:
        """Copy a host array to the device, a real one in the dtype; leave a number."""
        if not hasattr(a, "dtype"):
            return a
        a = a.astype(self.dtype) if a.dtype.kind == "f" else a
        return to_device(a) if self.device == "cuda" else a

    @property
    def double(self) -> bool:
        """Whether the subject runs in float64."""
        return self.dtype == numpy.float64

    def need(self, double: float, single: float) -> float:
        """Return how many digits are required in the dtype."""
        return double if self.double else single

    def row(
        self,
        part: str,
        claim: str,
        witness: str,
        pair: tuple[Array, Array],
        need: tuple[float, float],
    ) -> Row:
        """Compare what was got with what the witness says.

        Args:
            part: See ``Row``.
            claim: See ``Row``.
            witness: See ``Row``.
            pair: What was got, on the device or a number, and what was expected.
            need: Digits required in float64 and in float32.
        """
        got, want = (to_host(a) if hasattr(a, "shape") else a for a in pair)
        got, want = numpy.asarray(got), numpy.asarray(want)
        score = digits(got.reshape(want.shape), want)
        return Row(part, claim, witness, score, self.need(*need))

    def verdict(self, part: str, claim: str, witness: str, holds: bool) -> Row:
        """Return a row for a claim that holds or does not: 16 digits, or 0."""
        return Row(part, claim, witness, MOST_DIGITS * bool(holds), MOST_DIGITS)


def summary(part: str, report: Report, kinds: Mapping[str, str]) -> Iterator[Row]:
    """Yield the check of each kind with the least to spare, then one for the others.

    Args:
        part: See ``Row``.
        report: On a layer or a loss.
        kinds: Claims, each with a pattern of what is said in the checks of its kind;
            the others are promises that hold or do not.
    """
    left = list(report.checks)
    for claim, words in kinds.items():
        of_kind = [check for check in left if re.search(words, check.what)]
        left = [check for check in left if check not in of_kind]
        yield worst(part, claim, of_kind)
    least = worst(part, "tasks apart, bits, dtype kept", left)
    yield replace(least, witness="a second call, each task")


def worst(part: str, claim: str, checks: Sequence[Check]) -> Row:
    """Return the row of the check with the least to spare."""
    least = min(checks, key=lambda check: check.digits - check.required)
    return Row(part, claim, least.witness, least.digits, least.required)


def draw(rng: numpy.random.Generator, *shape: int) -> numpy.ndarray:
    """Draw from a standard normal, in float64 numbers that float32 holds exactly.

    The subject in float32 and the witness in float64 then see the same point.
    """
    return rng.normal(size=shape).astype(numpy.float32).astype(numpy.float64)


def make_setting(*, quick: bool, device: str, dtype: str) -> Setting:
    """Return a setting, once it is sure that it can be had.

    Raises:
        ValueError: If the device or the dtype has another name.
        RuntimeError: If there is no GPU where one is asked for.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    name = str(dtype) if isinstance(dtype, str) else numpy.dtype(dtype).name
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {name!r}")
    setting = Setting(device, numpy.dtype(name), quick)
    setting.put(numpy.zeros(1))
    return setting
