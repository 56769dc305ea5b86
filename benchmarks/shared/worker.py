"""One contender in a process of its own, asked line by line.

    python -m benchmarks.shared.worker MODULE FILE --options JSON --threads N

MODULE has the function ``build``, which is given the problem in FILE and the options.

Read from standard input, answered by a line of JSON each:

    build          build the contender and make a first meta-step
    grads PATH     write the mean and the meta-gradient of every task
    step           make one meta-step: its seconds, the result on the host included
    peak           make one meta-step: its peak memory beyond the data, in bytes

What libraries print goes to standard error.
"""

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from . import memory
from .problem import read


class Session:
    """A contender and what was measured before it was built.

    ``baseline`` is the memory after the imports, with the data and the same program for
    a tiny problem, after a meta-step: libraries and compiled code are not counted, what
    the tiny problem keeps for its next meta-step is.
    """

    def __init__(self, build, problem):
        self.build_from, self.problem, self.contender = build, problem, None
        tiny = build(problem.tiny())
        tiny.step()
        del tiny
        clean()
        self.baseline = memory.total(memory.resident, memory.family(os.getpid()))

    def build(self) -> dict:
        self.contender = self.build_from(self.problem)
        self.problem = None  # what of the data is still needed, the contender has
        start = time.perf_counter()
        self.contender.step()
        return {"seconds": time.perf_counter() - start}

    def grads(self, path: str) -> dict:
        contender = self.contender
        found = {"mean": contender.step(), "tasks": contender.task_grads()}
        np.savez(path, **{name: contender.ours(g) for name, g in found.items()})
        return {"path": path}

    def step(self) -> dict:
        start = time.perf_counter()
        self.contender.step()
        return {"seconds": time.perf_counter() - start}

    def peak(self) -> dict:
        clean()
        pids = memory.family(os.getpid())
        known = all([memory.reset_peak(pid) for pid in pids])
        with memory.Forks(pids) as forks:
            self.contender.step()
        most = memory.total(memory.peak, pids)
        known = known and most is not None and self.baseline is not None
        return {"bytes": most + forks.most - self.baseline if known else None}


def clean() -> None:
    """Drop what nobody refers to, so that two runs have the same memory."""
    gc.collect()
    memory.give_back_free_memory()


def serve(session: Session, lines, answer) -> None:
    """Answer each line until there are no more."""
    for line in lines:
        command, *rest = line.split()
        answer(getattr(session, command)(*rest))


def keep_to_cores(count: int) -> None:
    """Stay on that many cores: some libraries start a thread for each they may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def private_stdout():
    """Return standard output for answers only; what others print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


@contextmanager
def answering() -> Iterator[Callable[[dict], None]]:
    """A context with a function that answers; an error is the last answer."""
    answers = private_stdout()

    def answer(found: dict) -> None:
        print(json.dumps(found), file=answers)

    try:
        yield answer
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        answer({"error": f"{type(error).__name__}: {said}"})
        raise


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("file", type=Path)
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    with answering() as answer:
        keep_to_cores(args.threads)
        memory.die_first()
        build = partial(import_module(args.module).build, **args.options)
        problem = read(args.file, args.dtype)
        session = Session(build, problem)
        answer({"ready": True})
        del problem
        serve(session, sys.stdin, answer)


if __name__ == "__main__":
    main()
