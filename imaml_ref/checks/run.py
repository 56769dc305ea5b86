"""The accused: what is checked, run at a point in a dtype on a device."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ..compute import Array, to_device, to_host
from .rows import REQUIRED, Check, compare, verdict
from .trees import map_leaves


@dataclass(frozen=True)
class Run(ABC):
    """A layer or a task loss at a point.

    Args:
        point: What is checked, and what to call it with; T tasks in ``x``.
        dtype: The dtype of all real arguments.
        device: "cpu" or "cuda".
    """

    point: Any
    dtype: numpy.dtype
    device: str

    @abstractmethod
    def results(self, tasks: slice) -> Any:
        """Return what is returned for some of the tasks, as pairs or by name."""

    @cached_property
    def first(self) -> Any:
        """What is returned for all tasks at the first call."""
        return self.results(slice(None))

    def put(self, tree: Any) -> Any:
        """Copy the arrays of a tree to the device, the real ones in the dtype."""

        def copy(_, leaf):
            if not hasattr(leaf, "dtype"):
                return leaf
            a = leaf.astype(self.dtype) if leaf.dtype.kind == "f" else leaf.copy()
            return to_device(a) if self.device == "cuda" else a

        return map_leaves(copy, tree)


def same_bits(a: Array, b: Array) -> bool:
    """Compare bit for bit; NaN equals itself."""
    return to_host(a).tobytes() == to_host(b).tobytes()


def tasks_check(run: Run, need: float) -> Check:
    """Compare all results with those of each task alone."""
    tasks = range(len(run.point.x))
    alone = [dict(run.results(slice(t, t + 1))) for t in tasks]
    got = {n: to_host(a) for n, a in dict(run.first).items() if "saved" not in n}
    want = {n: numpy.concatenate([to_host(a[n]) for a in alone]) for n in got}
    return compare("tasks do not mix", "each task alone", got, want, need)


def repeat_check(run: Run) -> Check:
    """Demand the same bits from a second call."""
    first, second = dict(run.first), dict(run.results(slice(None)))
    faults = [f"{n} differs" for n, a in first.items() if not same_bits(a, second[n])]
    return verdict("twice the same bits", "a second call", faults)


def dtype_check(run: Run) -> Check:
    """Demand float32 from float32, and float64 from float64."""
    faults = [
        f"{name} is {a.dtype} for {dtype} arguments"
        for dtype in REQUIRED
        for name, a in dict(replace(run, dtype=numpy.dtype(dtype)).first).items()
        if a.dtype != dtype
    ]
    return verdict("the dtype is kept", "float32 and float64 in", faults)
