"""What every contender solves, and what it gives back.

For each task, with L and Q the mean cross-entropies of support and query set,

    φ ← φ − α (∇L(φ) + λ (φ − θ)),  K times from φ = θ
    (I + H/λ) g = ∇Q(φ) by conjugate gradients from 0, a given number of steps

and the meta-gradient is the mean of g over the tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Contender(NamedTuple):
    """A way of computing the meta-gradient.

    Args:
        step: Makes one meta-step and returns the mean of g, on the host, in whatever
            layout the library has; this is what is timed.
        task_grads: Returns g of every task, likewise, a task axis in front.
        ours: Turns either into arrays (..., P) in the layout of ``imaml_ref``.
    """

    step: Callable[[], Any]
    task_grads: Callable[[], Any]
    ours: Callable[[Any], np.ndarray]


@dataclass(frozen=True)
class Problem:
    """Tasks, θ and settings.

    Args:
        theta: θ, (P,), in the layout of ``imaml_ref``.
        support_x: Images (T, N, 28, 28, 1), in the dtype of θ.
        support_y: Labels (T, N).
        query_x: Images (T, N, 28, 28, 1).
        query_y: Labels (T, N).
        ways: Number of classes.
        lam: λ, in loss/parameter².
        step_size: α.
        inner_steps: K.
        cg_steps: Steps of conjugate gradients.
        threads: How many cores may compute.
    """

    theta: np.ndarray
    support_x: np.ndarray
    support_y: np.ndarray
    query_x: np.ndarray
    query_y: np.ndarray
    ways: int
    lam: float
    step_size: float
    inner_steps: int
    cg_steps: int
    threads: int

    def __len__(self) -> int:
        return len(self.support_x)

    def part(self, tasks: slice) -> "Problem":
        """Return the problem of some of the tasks."""
        return replace(self, **{name: getattr(self, name)[tasks] for name in PER_TASK})

    def tiny(self) -> "Problem":
        """Return a task per thread, one inner and one CG step: the same program."""
        few = self.part(slice(self.threads))
        return replace(few, inner_steps=1, cg_steps=1)


PER_TASK = ("support_x", "support_y", "query_x", "query_y")
REAL = ("theta", "support_x", "query_x")


def write(problem: Problem, path: Path) -> None:
    """Write a problem as .npz."""
    np.savez(path, **{f.name: getattr(problem, f.name) for f in fields(problem)})


def read(path: Path, dtype: str) -> Problem:
    """Read a problem, its real arrays in a dtype."""
    with np.load(path) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    real = {name: found[name].astype(dtype) for name in REAL}
    numbers = {name: a.item() for name, a in found.items() if a.ndim == 0}
    return Problem(**(found | real | numbers))
