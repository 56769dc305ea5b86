"""The process of a contender, from inside: asked line by line, answering in JSON."""

import argparse
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


class Session:
    """A contender that is built when it is asked for.

    Args:
        build: Makes it of a problem.
        problem: What it is to solve.
    """

    def __init__(self, build, problem):
        self.build_from, self.problem, self.contender = build, problem, None

    def build(self) -> dict:
        self.contender = self.build_from(self.problem)
        self.problem = None  # what of the data is still needed, the contender has
        self.contender.step()
        return {}

    def grads(self, path: str) -> dict:
        contender = self.contender
        found = {"mean": contender.step(), "tasks": contender.task_grads()}
        np.savez(path, **{name: contender.ours(g) for name, g in found.items()})
        return {"path": path}

    def timed(self) -> float:
        """Return the seconds of a meta-step."""
        start = time.perf_counter()
        self.contender.step()
        return time.perf_counter() - start


def command_line() -> argparse.ArgumentParser:
    """Return what every worker is told: a module, a file with a problem, a dtype."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("file", type=Path)
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--dtype", default="float32")
    return parser


def build_of(args, **more) -> Callable:
    """Return the function ``build`` of a module, with its options."""
    return partial(import_module(args.module).build, **args.options, **more)


def serve(session: Session, answer) -> None:
    """Say that it is ready, and answer each line until there are no more."""
    answer({"ready": True})
    for line in sys.stdin:
        command, *rest = line.split()
        answer(getattr(session, command)(*rest))


@contextmanager
def answering() -> Iterator[Callable[[dict], None]]:
    """A context with a function that answers; an error is the last answer.

    Standard output is for answers only; what others print goes to standard error.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # Line by line: of a process that is killed, the last words are what it printed.
    sys.stdout.reconfigure(line_buffering=True)

    def answer(found: dict) -> None:
        print(json.dumps(found), file=answers)

    try:
        yield answer
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        answer({"error": f"{type(error).__name__}: {said}"})
        raise
