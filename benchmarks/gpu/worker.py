"""One contender on a card, in a process of its own, asked line by line.

    python -m benchmarks.gpu.worker MODULE FILE --options JSON --device cuda

Read from standard input, answered by a line of JSON each:

    build          build the contender and make a first meta-step: its seconds
    grads PATH     write the mean and the meta-gradient of every task
    turn SECONDS   make meta-steps for so long: the seconds of each

Every meta-step ends when the device is done; the first of a turn, which wakes the
device, is not counted unless it is a turn by itself.
"""

import argparse
import json
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from ..shared.problem import read
from ..shared.worker import answering, serve

MOST_STEPS = 200  # of a turn


class Session:
    """A contender that is built when it is asked for."""

    def __init__(self, build, problem):
        self.build_from, self.problem, self.contender = build, problem, None

    def build(self) -> dict:
        start = time.perf_counter()
        self.contender = self.build_from(self.problem)
        self.contender.step()
        return {"seconds": time.perf_counter() - start}

    def grads(self, path: str) -> dict:
        contender = self.contender
        found = {"mean": contender.step(), "tasks": contender.task_grads()}
        np.savez(path, **{name: contender.ours(g) for name, g in found.items()})
        return {"path": path}

    def turn(self, seconds: str) -> dict:
        enough, first, found = float(seconds), self.timed(), []
        if first >= enough:
            return {"seconds": [first]}
        while sum(found) < enough and len(found) < MOST_STEPS:
            found.append(self.timed())
        return {"seconds": found}

    def timed(self) -> float:
        """Return the seconds of a meta-step."""
        start = time.perf_counter()
        self.contender.step()
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("file", type=Path)
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--device", required=True)
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    with answering() as answer:
        build = partial(
            import_module(args.module).build, device=args.device, **args.options
        )
        session = Session(build, read(args.file, args.dtype))
        answer({"ready": True})
        serve(session, sys.stdin, answer)


if __name__ == "__main__":
    main()
