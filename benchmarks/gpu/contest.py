"""A workload for all contenders: compared first, then timed in turns, within a budget.

Every contender lives in its own process for as long as the workload lasts; exactly one
computes at any moment, and each round starts with another one.  What the budget does
not allow is left out and said: a contender, or the last rounds.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..shared.child import Child, Failed, python
from ..shared.on_host import ask_gradients, gradients
from ..shared.peer import REFERENCE, SGEMM
from ..shared.problem import write
from ..shared.timed import Timed, in_turn
from ..shared.verdict import JUMP_DIGITS, may_be_rounding
from ..shared.workloads import draw
from .budget import Budget
from .registry import CONTENDERS

START_SECONDS = 10.0  # that a process may need until its first meta-step
SHARE = 0.5  # of what is left, that one contender may take until it is ready
MARGIN = 1.5  # times what a round took last


@dataclass
class Row(Timed):
    """One of ``CONTENDERS`` on a workload; of each round the median of its meta-steps.

    Args:
        preparation: Seconds until the first meta-step was done, compilation included,
            imports not.
    """

    preparation: float | None = None

    @property
    def label(self) -> str:
        return CONTENDERS[self.name].label


class Contest:
    """Contenders on one workload.

    Args:
        args: With rounds, turn (s), threads, released, dtype, place.
        folder: For the files that processes exchange.
        tell: Called with a line about what goes on.
    """

    def __init__(self, args, folder: Path, tell=print):
        self.args, self.folder, self.tell = args, folder, tell
        self.file = folder / "problem.npz"
        self.rows: dict[str, Row] = {}
        self.children: dict[str, Child] = {}

    def run(self, workload, names, budget: Budget, reserve: float) -> dict[str, Row]:
        """Return a row for each contender.

        Args:
            workload: Its sizes.
            names: Contenders, all of which can take part.
            budget: For all of it.
            reserve: Seconds of it that are kept for the turns.
        """
        write(draw(workload, self.args.threads), self.file)
        self.rows = {name: Row(name) for name in names}
        self.args.limit = budget.left
        arguments = REFERENCE, self.file, self.args, self.folder
        try:
            for name in names:  # all of them import while the reference is computed
                self.children[name] = self.started(name, self.args.dtype, budget)
            self.reference = gradients(*arguments)["tasks"]
            for row in self.rows.values():
                self.prepare(row, budget.keeping(reserve))
            self.take_turns(budget)
        finally:
            for child in self.children.values():
                child.close()
        return self.rows

    def prepare(self, row: Row, budget: Budget) -> None:
        """Start and build a contender, and compare what it computes."""
        own = budget.keeping((1 - SHARE) * budget.left)
        if not own.has(START_SECONDS):
            self.give_up(row, "left out: no time was left")
        else:
            try:
                self.start(row, own)
                if row.name != SGEMM:
                    self.judge(row, own)
            except Failed as failure:
                self.give_up(row, str(failure))
        self.tell(f"{row.label}: {row.reason or row.void or 'ready'}{took(row)}")

    def start(self, row: Row, budget: Budget) -> None:
        """Let a contender build and make a meta-step."""
        begin = time.monotonic()
        built(self.children[row.name], budget)
        row.preparation = time.monotonic() - begin

    def started(self, name: str, dtype: str, budget: Budget) -> Child:
        """Return the process of a contender, which imports what it needs."""
        return worker(name, self.file, self.args, dtype, budget.left)

    def judge(self, row: Row, budget: Budget) -> None:
        """Compare the meta-gradients; in float64 where float32 cannot tell."""
        dtype, child = self.args.dtype, self.children[row.name]
        found = ask_gradients(child, self.folder / f"{row.name}.npz")
        row.compare(found, self.reference, dtype)
        twin = CONTENDERS[row.name].twin
        if twin is not None:
            row.void = self.fault_of_tf32(row, twin)
        elif row.void and may_be_rounding(row.digits, dtype):
            self.ask_in_float64(row, budget)

    def fault_of_tf32(self, row: Row, twin: str) -> str | None:
        """Return what is wrong with a program whose twin in float32 is known."""
        known = self.rows.get(twin)
        if known is None or not known.digits:
            return f"nothing is known of {CONTENDERS[twin].label}"
        if known.void:
            return f"as {known.label}"
        enough = np.median(row.digits) >= JUMP_DIGITS
        return None if enough else "other meta-gradients"

    def ask_in_float64(self, row: Row, budget: Budget) -> None:
        """Let the same program in float64 decide, if there is time."""
        if not budget.has(START_SECONDS + row.preparation):
            row.void += "; no time was left to ask it in float64"
            return
        child = self.started(row.name, "float64", budget)
        try:
            built(child, budget)
            found = ask_gradients(child, self.folder / "float64.npz")
        finally:
            child.close()
        row.compare_in_float64(found, self.reference)

    def take_turns(self, budget: Budget) -> None:
        """Time the contenders in every round that there is time for."""
        names, took = list(self.rows), 0.0
        for i in range(self.args.rounds):
            if not budget.has(MARGIN * took):
                self.tell(f"{i} of {self.args.rounds} rounds: no time for more")
                return
            begin = time.monotonic()
            for name in in_turn(names, i):
                if name in self.children:
                    self.take_turn(self.rows[name], budget)
            took = time.monotonic() - begin

    def take_turn(self, row: Row, budget: Budget) -> None:
        """Add the median of some meta-steps to a row."""
        child = self.children[row.name]
        child.seconds = max(budget.left, 1.0)
        try:
            found = child.ask(f"turn {self.args.turn}")["seconds"]
            row.seconds.append(float(np.median(found)))
        except Failed as failure:
            self.give_up(row, str(failure))

    def give_up(self, row: Row, reason: str) -> None:
        """Note why a contender is out, and end its process."""
        row.reason, row.seconds = reason, []
        if row.name in self.children:
            self.children.pop(row.name).close()


def built(child: Child, budget: Budget) -> None:
    """Let a process make its first meta-step within what is left.

    Raises:
        Failed: If it cannot.
    """
    child.seconds = budget.left
    child.answer()
    child.seconds = budget.left
    child.ask("build")
    child.seconds = budget.left


def took(row: Row) -> str:
    """Say how long the first meta-step took."""
    return "" if row.preparation is None else f", {row.preparation:.0f} s"


def worker(name: str, file: Path, args, dtype: str, seconds: float) -> Child:
    """Start the process of a contender, whose answers may take so many seconds."""
    contender = CONTENDERS[name]
    words = [contender.module, str(file), "--options", json.dumps(contender.options)]
    words += ["--device", args.place.device, "--dtype", dtype]
    checkout = getattr(args, contender.checkout) if contender.checkout else None
    how = {"environment": contender.environment, "checkout": checkout}
    return python("benchmarks.gpu.worker", words, seconds=seconds, **how)
