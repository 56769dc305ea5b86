"""Consoles that are closed, full or hold no Greek, and disks that are full."""

import io
import json
import os
import subprocess
import sys

import pytest

from imaml_ref.cli import main, streams
from tests.helpers.same_run import assert_same_run
from tests.helpers.tiny_runs import as_flags

KEYS = {"data": "sinusoid", "num-filters": 40, "meta-steps": 3, "test-tasks": 4}
KEYS |= {"meta-batch": 2, "validation-interval": 1, "validation-tasks": 3}
KEYS |= {"checkpoint-seconds": 0, "threads": 1}
PROGRAM = f"{sys.executable} -m imaml_ref"
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")


def shell(command):
    """Run a line of a shell; return its status, and what went to its own streams."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    return done


def train(out, *more):
    return f"{PROGRAM} train {' '.join(as_flags(KEYS | {'out': out}))} {' '.join(more)}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run like all others here, whose console was in order."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", *as_flags(KEYS | {"out": out})]) == 0
    return out


CONSOLES = {
    "no output": ">&-",
    "no streams": "<&- >&- 2>&-",
    "one line is read": "| head -1",
    "full": pytest.param(">/dev/full 2>&1", marks=FULL),
}


@pytest.mark.parametrize("console", CONSOLES.values(), ids=CONSOLES.keys())
def test_a_training_needs_no_console(run, tmp_path, console):
    out = tmp_path / "run"
    done = shell(f"{train(out)} {console}")
    assert done.returncode == 0, done.stderr
    assert_same_run(out, run)
    assert json.loads((out / "summary.json").read_text())["test_tasks"] == 4
    assert {p.name for p in out.iterdir()} == {p.name for p in run.iterdir()}


def test_a_line_that_nobody_reads_does_not_fail_later(monkeypatch):
    nobody, pipe = os.pipe()
    os.close(nobody)
    with open(pipe, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        streams.say("what waits in the buffer once its writing has failed")
        streams.flush()


def test_numbers_go_to_the_file_before_they_are_printed(run, tmp_path, monkeypatch):
    path = tmp_path / "found.json"
    nobody, pipe = os.pipe()
    os.close(nobody)
    with open(pipe, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert main(["evaluate", str(run), "--tasks", "3", "--json", str(path)]) == 141
    assert json.loads(path.read_text())["test_tasks"] == 3


@FULL
@pytest.mark.parametrize(
    "command", ["evaluate RUN --tasks 3", "--version", "conformance list", "data info"]
)
def test_what_cannot_be_printed_ends_in_one_line(run, command):
    done = shell(f"{PROGRAM} {command.replace('RUN', str(run))} > /dev/full")
    assert done.returncode == 2
    (line,) = [t for t in done.stderr.splitlines() if "imaml-ref:" in t]
    assert "No space left" in line or command == "data info"


def test_a_console_without_greek_gets_codes(run, monkeypatch):
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", console)
    assert main(["evaluate", str(run), "--tasks", "3"]) == 0
    assert b"\\u03b8 after 3 meta-steps" in console.buffer.getvalue()


@pytest.mark.parametrize("blocks", [2, 8])
def test_a_disk_that_fills_up_is_named_and_costs_nothing(run, tmp_path, blocks):
    """The limit on the size of a file stands for the disk; 1 block is 1 KiB."""
    out = tmp_path / "run"
    assert shell(train(out, "--meta-steps 1")).returncode == 0
    before = (out / "checkpoint.h5").read_bytes()
    resume = f"{PROGRAM} train --resume --out {out} --meta-steps 3"
    done = shell(f"ulimit -f {blocks}; {resume}")
    assert done.returncode == 2
    (line,) = [t for t in done.stderr.splitlines() if "imaml-ref:" in t]
    assert "File too large" in line
    assert any(name in line for name in ("checkpoint.h5", "config.toml"))
    assert (out / "checkpoint.h5").read_bytes() == before
    assert not any(".part" in p.name for p in out.iterdir())
    assert shell(resume).returncode == 0
    assert_same_run(out, run)


def test_numbers_are_printed_though_their_file_cannot_be_written(run, tmp_path, capsys):
    path = tmp_path / "nowhere" / "found.json"
    assert main(["evaluate", str(run), "--tasks", "3", "--json", str(path)]) == 2
    out, err = capsys.readouterr()
    assert "nowhere does not exist" in err
    assert "query loss" in out
