"""A workload for all contenders: compared first, then timed in turns.

Every contender lives in its own process for as long as the workload lasts; exactly one
computes at any moment.  Each round starts with another one, so that none always comes
after the same neighbour.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from ..shared.child import Child, Failed
from ..shared.on_host import ask_gradients, gradients, started
from ..shared.peer import REFERENCE, SGEMM
from ..shared.problem import write
from ..shared.timed import Timed, in_turn
from ..shared.verdict import may_be_rounding
from ..shared.workloads import draw
from .registry import PEERS

SETTLE_SECONDS = 0.1  # until the threads of the one before are surely asleep


@dataclass
class Row(Timed):
    """One of ``PEERS`` on a workload.

    Args:
        peak: Most bytes during a meta-step, beyond data, libraries and compiled code;
            None if not known.
    """

    peak: int | None = None

    @property
    def label(self) -> str:
        return PEERS[self.name].label


def contest(workload, names, args, folder: Path, tell=print) -> dict[str, Row]:
    """Return a row for each contender.

    Args:
        workload: Its sizes.
        names: Contenders, all of which can take part, and "sgemm" if it is to be timed.
        args: With rounds, threads, dtype, limit, memory and the paths of checkouts.
        folder: For the files that processes exchange.
        tell: Called with a line about what goes on.
    """
    file = folder / "problem.npz"
    write(draw(workload, args.threads), file)
    reference = gradients(REFERENCE, file, args, folder)["tasks"]
    rows = {name: Row(name) for name in names}
    children: dict[str, Child] = {}
    try:
        for row in rows.values():
            start = time.monotonic()
            prepare(row, children, file, args, reference, folder)
            took = time.monotonic() - start
            tell(f"{row.label}: {row.reason or 'ready'} after {took:.0f} s")
        take_turns(rows, children, args.rounds)
    finally:
        for child in children.values():
            child.close()
    return rows


def prepare(row: Row, children, file: Path, args, reference, folder: Path) -> None:
    """Start and build a contender, compare what it computes, measure its memory."""
    peer = PEERS[row.name]
    try:
        child = children[row.name] = started(peer, file, args, args.dtype)
        child.ask("build")
        if row.name != SGEMM:
            row.peak = child.ask("peak")["bytes"]
            found = ask_gradients(child, folder / f"{row.name}.npz")
            row.compare(found, reference, args.dtype)
            if row.void and may_be_rounding(row.digits, args.dtype):
                found = gradients(peer, file, args, folder)
                row.compare_in_float64(found, reference)
    except Failed as failure:
        give_up(row, children, failure)


def take_turns(rows: dict[str, Row], children: dict[str, Child], rounds: int) -> None:
    """Time one meta-step of each contender in every round."""
    for i in range(rounds):
        for name in in_turn(list(rows), i):
            if name in children:
                time.sleep(SETTLE_SECONDS)
                time_step(rows[name], children)


def time_step(row: Row, children: dict[str, Child]) -> None:
    """Add the seconds of a meta-step to a row."""
    try:
        row.seconds.append(children[row.name].ask("step")["seconds"])
    except Failed as failure:
        give_up(row, children, failure)


def give_up(row: Row, children: dict[str, Child], failure: Failed) -> None:
    """Note why a contender is out, and end its process."""
    row.reason, row.seconds = str(failure), []
    if row.name in children:
        children.pop(row.name).close()
