"""Both paths through the same meta-step: timed whole, and watched."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

import imaml_ref as ir

from ..shared.imaml_reference import pieces
from ..shared.problem import Problem
from . import fused, plain
from .clock import Clock, Cost, Label, replaced
from .kinds import around

BEFORE, AFTER = "before", "after"


@dataclass
class Watch:
    """What a watched meta-step said.

    Args:
        parts: Seconds by label, without what watching cost.
        whole: Seconds of the meta-step as it was watched.
        watching: Seconds that were subtracted.
    """

    parts: dict[Label, float]
    whole: float
    watching: float

    @property
    def total(self) -> float:
        return sum(self.parts.values())


@dataclass
class Path:
    """One of the two paths.

    Args:
        problem: Tasks, θ and settings.
        inside: Returns the context in which the path is taken.
        changes: Given a clock, returns what watches the sweeps.
        programs: The calls of the fused path; none on the plain one.
        seconds: Of the rounds, not watched.
        watches: Of the rounds.
    """

    problem: Problem
    inside: Callable[[], AbstractContextManager]
    changes: Callable[[Clock], list]
    programs: fused.Programs = field(default_factory=fused.Programs)
    seconds: list[float] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)

    def __post_init__(self):
        loss, _, self.tasks, settings = pieces(self.problem)
        self.algorithm = ir.IMAML(loss, **settings)
        with replaced(*self.programs.writing()):
            self.step()

    def step(self) -> np.ndarray:
        """Make one meta-step and return its gradient."""
        with self.inside():
            return self.algorithm(self.problem.theta, self.tasks).grad

    def time(self) -> None:
        """Add a meta-step to the times."""
        start = perf_counter()
        self.step()
        self.seconds.append(perf_counter() - start)

    def watch(self, cost: Cost, cost_of_call: float) -> None:
        """Add a meta-step to the watches."""
        clock = Clock()
        with replaced(*around(clock), *self.changes(clock)):
            self.step()
        parts, whole = clock.seconds(cost), 1e-9 * clock.whole
        for label, seconds in self.programs.seconds(cost_of_call).items():
            parts[label] = parts.get(label, 0.0) + seconds
        self.watches.append(Watch(parts, whole, whole - sum(parts.values())))

    @property
    def median(self) -> float:
        """Median seconds of the meta-steps that were not watched."""
        return float(np.median(self.seconds))

    @property
    def typical(self) -> Watch:
        """The watch whose total is the median of the rounds."""
        return sorted(self.watches, key=lambda w: w.total)[(len(self.watches) - 1) // 2]


def paths(problem: Problem) -> dict[str, Path]:
    """Return the plain and the fused path, warm."""
    before = Path(problem, ir.plain_path, lambda clock: [])
    net = before.algorithm.loss.net
    before.changes = lambda clock: plain.changes(clock, net)
    programs = fused.Programs()
    after = Path(problem, nullcontext, programs.running, programs)
    if not programs.labels:
        raise RuntimeError("the fused path was not taken; is IMAML_REF_PLAIN set?")
    return {BEFORE: before, AFTER: after}
