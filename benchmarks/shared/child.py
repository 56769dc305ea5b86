"""A contender's process, seen from the parent: asked, watched, and ended."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from . import memory

ROOT = Path(__file__).parents[2]
WATCH_SECONDS = 0.25


class Failed(Exception):
    """A contender gave no answer; the message says why."""


class Child:
    """A worker process that computes only between a question and its answer.

    Args:
        command: What to run.
        environment: Variables beside those of this process.
        seconds: Most time an answer may take.
        most_bytes: Most memory of the process, or None for no limit.
    """

    def __init__(self, command, environment, seconds, most_bytes=None):
        self.seconds, self.most_bytes = seconds, most_bytes
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as it
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env=os.environ | environment,
            start_new_session=True,  # so that it ends together with its own children
        )

    def ask(self, line: str) -> dict:
        """Send a line and return the answer.

        Raises:
            Failed: If it dies, is too slow, needs too much memory, or says so.
        """
        with suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict:
        """Wait for a line and return it; see ``ask``."""
        self.watch()
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"died: {self.last_words()}")
        found = json.loads(line)
        if "error" in found:
            raise Failed(found["error"])
        return found

    def watch(self) -> None:
        """Wait until there is something to read, within the limits."""
        deadline = time.monotonic() + self.seconds
        while not select.select([self.process.stdout], [], [], WATCH_SECONDS)[0]:
            if time.monotonic() > deadline:
                raise Failed(f"no answer within {self.seconds:g} s")
            used = memory.total(memory.resident, memory.family(self.process.pid))
            if self.most_bytes and used and used > self.most_bytes:
                raise Failed(f"needs more than {self.most_bytes / 1e9:.1f} GB")

    def last_words(self) -> str:
        """Return how the process ended, and the last line that it printed."""
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        self.said.seek(0)
        lines = self.said.read().strip().splitlines()
        return f"{how}; {lines[-1].strip()}" if lines else how

    def close(self) -> None:
        """End the process and those it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.said):
            with suppress(BrokenPipeError):
                stream.close()


def python(
    module: str, words, environment, seconds: float, most_bytes=None, checkout=None
) -> Child:
    """Start a module in a process of its own.

    Args:
        module: What is run.
        words: Its command line.
        environment: Variables beside those of this process.
        seconds: Most time an answer may take.
        most_bytes: Most memory of the process, or None for no limit.
        checkout: A folder that libraries are imported from, or None.
    """
    # -P: what lies in the folder where the parent was started is not imported.
    command = [sys.executable, "-P", "-m", module, *words]
    return Child(command, environment | in_reach(checkout), seconds, most_bytes)


def in_reach(checkout: Path | None = None) -> dict[str, str]:
    """Return the variable that lets a process import what lies here, and a checkout."""
    known = os.environ.get("PYTHONPATH")
    folders = [str(f.resolve()) for f in (ROOT, checkout) if f is not None]
    return {"PYTHONPATH": os.pathsep.join([*folders, *([known] if known else [])])}


def threads_of(count: int) -> dict[str, str]:
    """Return the variables that give every library as many threads.

    How they wait for work is left to the library: PyTorch needs them awake.  Before the
    next turn they are asleep, see ``meta_step.contest.SETTLE_SECONDS``.
    """
    names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR")
    return {f"{name}_NUM_THREADS": str(count) for name in names} | {
        "OPENBLAS_THREAD_TIMEOUT": "4",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
