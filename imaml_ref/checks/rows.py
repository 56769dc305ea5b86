"""What a check found: rows of digits, each with the entry that is worst."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy

from ..compute import Array, to_host
from .oracles import MOST_DIGITS, digits, norm

Tensors = dict[str, Array]

REQUIRED = {"float32": 5.0, "float64": 12.0}  # digits against an exact witness
COARSE = 6.0  # digits against central differences in float64


@dataclass(frozen=True)
class Worst:
    """The entry of a tensor where two arrays are furthest apart."""

    tensor: str
    index: tuple[int, ...]
    got: float
    expected: float

    def __str__(self) -> str:
        place = f"{self.tensor}[{', '.join(map(str, self.index))}]"
        text = f"{place} is {self.got:.6g}, expected {self.expected:.6g}"
        return (
            f"{text}, ratio {self.got / self.expected:.6g}" if self.expected else text
        )


@dataclass(frozen=True)
class Check:
    """One claim and how well it holds.

    Args:
        what: The method and what is claimed of it.
        witness: What it was compared with.
        digits: Decimal digits of agreement, 0 to 16.
        required: Digits that it takes to pass.
        worst: The worst entry, if there is one.
        note: What the disagreement looks like, if it looks like something.
    """

    what: str
    witness: str
    digits: float
    required: float
    worst: Worst | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.digits >= self.required

    def __str__(self) -> str:
        word = "ok  " if self.passed else "FAIL"
        head = f"{word} {self.what} | {self.witness} | {self.digits:.1f} digits"
        head += f" of {self.required:g}"
        if self.passed:
            return head
        return "\n       ".join([head, *(str(s) for s in (self.worst, self.note) if s)])


@dataclass(frozen=True)
class Report:
    """The checks of one layer or network; ``print`` it to read it."""

    title: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    def raise_if_failed(self) -> "Report":
        """Return the report itself if every check passed.

        Raises:
            AssertionError: If one did not; the message names each such check, the
                tensor and entry that is worst, and the ratio of got to expected.
        """
        if not self.passed:
            lines = "\n".join(f"  {check}" for check in self.failures)
            raise AssertionError(
                f"{self.title}: {len(self.failures)} of {len(self.checks)} checks "
                f"failed\n{lines}"
            )
        return self

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  {check}" for check in self.checks)])


def compare(
    what: str, witness: str, got: Tensors, want: Tensors, required: float
) -> Check:
    """Compare named tensors; the row carries the worst of them, in digits."""
    if fault := misfit(got, want):
        return Check(what, witness, 0.0, required, note=fault)
    got = {name: to_host(a) for name, a in got.items()}
    whole = math.hypot(*(norm(a) for a in want.values()))
    scores = {n: digits(got[n], want[n], whole=whole) for n in want}
    if not scores:
        return Check(what, witness, MOST_DIGITS, required)
    name = min(scores, key=scores.__getitem__)
    worst = worst_entry(name, got[name], want[name])
    note = pattern(got[name], want[name])
    return Check(what, witness, scores[name], required, worst, note)


def verdict(what: str, witness: str, faults: Iterable[str]) -> Check:
    """Return a row for a claim that holds or does not: 16 digits, or 0 and why."""
    note = "; ".join(faults)
    return Check(what, witness, 0.0 if note else MOST_DIGITS, MOST_DIGITS, note=note)


def misfit(got: Tensors, want: Tensors) -> str:
    """Say which tensor is missing, unknown or of the wrong shape; empty if none is."""
    if missing := sorted(want.keys() - got.keys()):
        return f"{', '.join(missing)} missing"
    if unknown := sorted(got.keys() - want.keys()):
        return f"{', '.join(unknown)} unknown"
    return "; ".join(
        f"{n} has shape {tuple(got[n].shape)}, expected {tuple(want[n].shape)}"
        for n in want
        if got[n].shape != want[n].shape
    )


def worst_entry(name: str, got: Array, want: Array) -> Worst:
    """Find where two host arrays are furthest apart; NaN counts as furthest."""
    gap = numpy.nan_to_num(numpy.abs(got - want), nan=math.inf)
    index = numpy.unravel_index(int(numpy.argmax(gap)), gap.shape)
    place = tuple(int(i) for i in index)
    return Worst(name, place, float(got[place]), float(want[place]))


def pattern(got: Array, want: Array) -> str:
    """Name the mistakes that leave a constant ratio between got and expected."""
    power = float((want * want).sum())
    ratio = float((got * want).sum()) / power if power else math.nan
    if not math.isfinite(ratio) or norm(got - ratio * want) > 1e-5 * norm(want):
        return ""
    if abs(ratio) < 1e-5:
        return "every entry is zero: a term is lost, or the complex step does not pass"
    if abs(ratio - 1) < 1e-5:
        return ""
    text = f"every entry is {ratio:.6g} times what is expected"
    if abs(ratio + 1) < 1e-5:
        return f"{text}: a sign"
    whole = max(ratio, 1 / ratio)
    if whole > 1.5 and abs(whole - round(whole)) < 1e-5 * whole:
        return f"{text}: a sum where a mean was meant, the reverse, or a lost factor"
    return text


def under(stem: str, tensors: Tensors) -> Tensors:
    """Put a stem before each name, joined by a dot; an empty name becomes the stem."""
    return {f"{stem}.{n}" if n else stem: a for n, a in tensors.items()}
