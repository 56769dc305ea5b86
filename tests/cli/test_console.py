"""Progress: bars with rate and time left on a terminal, plain lines elsewhere."""

import os
import pty
import re
import subprocess
import sys

import pytest

from imaml_ref.cli import console

CODE = """
import time
from imaml_ref.cli.console import reporter
with reporter().progress("training", 6, done=2) as progress:
    for done in (3, 4, 5, 6):
        time.sleep(0.05)
        progress.update(done, "query loss 0.5")
"""


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7530, "2 h 5 min"),
    ],
)
def test_durations_are_said_in_words(seconds, expected):
    assert console.duration(seconds) == expected


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    moved = Clock()
    monkeypatch.setattr(console, "time", moved)
    return moved


def test_plain_lines_come_every_ten_seconds_and_at_the_end(clock, capsys):
    with console.Plain().progress("training", 40, done=10) as progress:
        for done in range(11, 41):
            clock.now += 0.5
            progress.update(done, "query loss 0.5")
    first, last = capsys.readouterr().err.splitlines()
    # 20 units in 10 seconds, and 10 units to go at that rate
    assert first == "training 30/40  2.00/s  5 s left  query loss 0.5"
    assert last == "training 40/40  2.00/s  0 s left  query loss 0.5"


def test_a_file_gets_plain_lines(tmp_path, monkeypatch):
    with open(tmp_path / "shown", "w+", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stderr", file)
        exec(CODE, {})
        file.seek(0)
        (line,) = file.read().splitlines()
    assert re.fullmatch(r"training 6/6  [\d.]+/s  0 s left  query loss 0.5", line)


def test_a_terminal_gets_a_bar_with_rate_and_time_left():
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(command, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read(ours), b"")).decode()
    os.close(ours)
    assert process.returncode == 0
    plain = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", shown)
    assert re.search(r"training ━+ 6/6 [\d.]+/s 0:00:00 left query loss 0.5", plain), (
        plain
    )


def read(descriptor):
    """Read from a pseudo-terminal; its end is an error on Linux."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
