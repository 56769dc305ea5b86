"""A workload for all contenders: compared first, then timed in turns.

Every contender lives in its own process for as long as the workload lasts; exactly one
computes at any moment.  Each round starts with another one, so that none always comes
after the same neighbour.
"""

import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..shared.child import Child, Failed, worker
from ..shared.problem import write
from ..shared.timed import Timed
from ..shared.verdict import digits, fault, may_be_rounding
from ..shared.workloads import draw
from .registry import PEERS, REFERENCE, SGEMM

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


def missing(name: str, args) -> str | None:
    """Return why a contender cannot take part, or None."""
    peer = PEERS[name]
    for package in peer.needs:
        if find_spec(package) is None:
            return f"{package} is not installed"
    if peer.checkout and getattr(args, peer.checkout) is None:
        return f"no --{peer.checkout} PATH"
    if args.threads < peer.least_threads:
        return "one thread: the same as another contender"
    return None


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


def gradients(name: str, file: Path, args, folder: Path) -> dict[str, np.ndarray]:
    """Return the meta-gradients of a contender in float64, from a process of its own.

    Raises:
        Failed: If there are none.
    """
    child = started(name, file, args, "float64")
    try:
        child.ask("build")
        return ask_gradients(child, folder / f"{name}-float64.npz")
    finally:
        child.close()


def started(name: str, file: Path, args, dtype: str) -> Child:
    """Start the process of a contender.

    Raises:
        Failed: If it cannot get ready.
    """
    peer = PEERS[name]
    path = getattr(args, peer.checkout) if peer.checkout else None
    child = worker(peer, file, args, dtype, path)
    try:
        child.answer()
    except Failed:
        child.close()
        raise
    return child


def ask_gradients(child: Child, path: Path) -> dict[str, np.ndarray]:
    """Return the mean and the meta-gradient of every task."""
    child.ask(f"grads {path}")
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def prepare(row: Row, children, file: Path, args, reference, folder: Path) -> None:
    """Start and build a contender, compare what it computes, measure its memory."""
    try:
        child = children[row.name] = started(row.name, file, args, args.dtype)
        child.ask("build")
        if row.name != SGEMM:
            row.peak = child.ask("peak")["bytes"]
            found = ask_gradients(child, folder / f"{row.name}.npz")
            row.digits = digits(found["tasks"], reference).tolist()
            row.void = fault(found, row.digits, args.dtype)
            if row.void and may_be_rounding(row.digits, args.dtype):
                found = gradients(row.name, file, args, folder)
                row.digits_in_float64 = digits(found["tasks"], reference).tolist()
                row.void = fault(found, row.digits_in_float64, "float64")
    except Failed as failure:
        give_up(row, children, failure)


def take_turns(rows: dict[str, Row], children: dict[str, Child], rounds: int) -> None:
    """Time one meta-step of each contender in every round."""
    names = list(rows)
    for i in range(rounds):
        first = i % len(names)
        for name in names[first:] + names[:first]:
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
