"""What is known of a contender, wherever it ran."""

from dataclasses import dataclass, field

import numpy as np

from .verdict import digits, fault


@dataclass
class Timed:
    """A contender on a workload.

    Args:
        name: Its key among the contenders.
        reason: Why there are no times; None if there are.
        void: Why no ratio is computed; None if the meta-gradients agree.
        digits: Of each task's meta-gradient against ``imaml_ref`` in float64 on the
            host.
        digits_in_float64: Likewise, of the same program in float64, if it was asked.
        seconds: Of each round.
    """

    name: str
    reason: str | None = None
    void: str | None = None
    digits: list[float] = field(default_factory=list)
    digits_in_float64: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        return float(np.median(self.seconds)) if self.seconds else None

    @property
    def counts(self) -> bool:
        """Whether it was timed and may be compared."""
        return bool(self.seconds) and self.void is None

    def compare(self, found: dict[str, np.ndarray], reference, dtype: str) -> None:
        """Note the digits of what it computed, and whether they are enough."""
        self.digits = digits(found["tasks"], reference).tolist()
        self.void = fault(found, self.digits, dtype)

    def compare_in_float64(self, found: dict[str, np.ndarray], reference) -> None:
        """Let what the same program computed in float64 decide."""
        self.digits_in_float64 = digits(found["tasks"], reference).tolist()
        self.void = fault(found, self.digits_in_float64, "float64")


def in_turn(names, number: int) -> list:
    """Return the names of a round: each begins with another one."""
    first = number % len(names)
    return [*names[first:], *names[:first]]
