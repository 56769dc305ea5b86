"""Watches on the fused path: every call of every program, by block and kind.

A call is labelled where it is written down, by who writes it: ``Windows`` writes
patches, ``Rows`` means over rows, and of what a block itself writes, ``matmul`` is a
product, what has to do with booleans is ReLU, a copy and a sum of products are
element-wise, and the rest of a block of three layers is batch normalisation.
"""

import sys
from collections import Counter, defaultdict
from functools import partial
from time import perf_counter_ns
from types import FrameType
from typing import Any

import numpy as np

from imaml_ref.fused.plain_blocks import (
    FlattenBlock,
    FrameBlock,
    LayerBlock,
    LinearBlock,
)
from imaml_ref.fused.program import Program
from imaml_ref.fused.rows import Rows
from imaml_ref.fused.sweeps import Sweeps
from imaml_ref.fused.windows import Windows

from .clock import PROBES, REPEATS, Clock, Label, watched
from .kinds import ENTRIES, NORM, PATCHES, PRODUCTS, block_of

RELU = {np.maximum, np.greater}
ENTRY_BLOCKS = LinearBlock, FlattenBlock, FrameBlock, LayerBlock


class Programs:
    """Labels of the calls of all programs, and the time of each call."""

    def __init__(self) -> None:
        self.labels: dict[Program, list[Label]] = {}
        self.times: dict[Program, list[int]] = {}
        self.order: list[Program] = []

    def writing(self) -> list:
        """Return the change that labels calls as they are written down."""
        plain = Program.do

        def do(program, function, *arguments):
            labels = self.labels.setdefault(program, [])
            labels.append(label(program, function, arguments))
            return plain(program, function, *arguments)

        return [(Program, "do", do)]

    def running(self, clock: Clock) -> list:
        """Return the changes that time the calls of programs."""
        self.times = {p: [0] * len(p) for p in self.labels}
        self.order = []

        def run(program):
            start = before = perf_counter_ns()
            times = self.times[program]
            for i, (function, arguments) in enumerate(program._calls):
                function(*arguments)
                now = perf_counter_ns()
                times[i] += now - before
                before = now
            self.order.append(program)
            clock.charge(before - start)

        first = Label("block 1", PATCHES)
        return [
            (Program, "run", run),
            (Sweeps, "load", watched(clock, Sweeps.load, first)),
        ]

    def seconds(self, cost: float) -> dict[Label, float]:
        """Return the times by label, without ``cost`` nanoseconds for each call."""
        runs = Counter(self.order)
        found: defaultdict[Label, float] = defaultdict(float)
        for program, times in self.times.items():
            for where, took in zip(self.labels[program], times, strict=True):
                found[where] += 1e-9 * (took - cost * runs[program])
        return dict(found)

    @property
    def num_calls(self) -> int:
        """Calls that were made."""
        return sum(map(len, self.order))

    def products(self) -> list[tuple[Program, int]]:
        """Return the products that were made, in order: program and place in it."""
        where = {
            program: [i for i, found in enumerate(labels) if found.kind == PRODUCTS]
            for program, labels in self.labels.items()
        }
        return [(program, i) for program in self.order for i in where[program]]


def measured_cost_of_call() -> float:
    """Return the nanoseconds that timing adds to a call; see ``measured_cost``."""
    program = Program(np.dtype(np.float32))
    for _ in range(PROBES):
        program.do(int)
    times = (probes(program) for _ in range(REPEATS))
    timed, untimed = map(min, zip(*times, strict=True))
    return timed - untimed


def probes(program: Program) -> tuple[float, float]:
    """Return the nanoseconds of a call of a program, timed and not."""
    programs, clock = Programs(), Clock()
    programs.labels[program] = [Label("", "nothing")] * len(program)
    ((_, _, timed), *_) = programs.running(clock)
    start = perf_counter_ns()
    program.run()
    untimed = perf_counter_ns() - start
    timed(program)
    return clock.whole / len(program), untimed / len(program)


def label(program: Program, function: Any, arguments: tuple) -> Label:
    """Return the label of a call that is being written down."""
    owners, block = writers()
    plain = function.func if isinstance(function, partial) else function
    if any(isinstance(owner, Windows) for owner in owners):
        return Label(block, PATCHES)
    if any(isinstance(owner, Rows) for owner in owners):
        return Label(block, NORM)
    if plain is np.matmul:
        return Label(block, PRODUCTS)
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    relu = plain in RELU or any(a.dtype == bool for a in arrays)
    moves = plain is np.copyto or adds_product(program, plain, arguments)
    by_entry = isinstance(owners[-1], ENTRY_BLOCKS)
    return Label(block, ENTRIES if relu or moves or by_entry else NORM)


def adds_product(program: Program, function: Any, arguments: tuple) -> bool:
    """Whether a call adds what the call before it, a product, has written."""
    if not program._calls or function not in (np.add, np.add.reduce):
        return False
    before, (*_, written) = program._calls[-1]
    inputs = [a for a in arguments[:-1] if isinstance(a, np.ndarray)]
    return before is np.matmul and any(np.may_share_memory(written, a) for a in inputs)


def writers() -> tuple[list, str]:
    """Return who is writing, innermost first, up to the block, and the block's name."""
    owners: list = []
    frame: FrameType | None = sys._getframe(3)  # beyond label and do
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Sweeps):
            names = frame.f_locals["piece"].names
            return owners, block_of(names[0] if names else "frame")
        if owner is not None and not isinstance(owner, Program):
            owners.append(owner)
        frame = frame.f_back
    raise RuntimeError("a call was written outside of Sweeps")
