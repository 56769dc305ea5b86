"""Killed at any moment and resumed, a run ends with the bits of an undisturbed one.

The runs write a checkpoint after every step, so that many kills fall into the writing
of one; λ is learned and validation on, so that every part of the state matters.
"""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from imaml_ref.cli import main
from tests.helpers.same_run import assert_same_run, rows_of, state_of
from tests.helpers.tiny_runs import no_figures

STEPS = 60
TRAIN = (
    f"-m imaml_ref train --meta-steps {STEPS} --data sinusoid --num-filters 8 "
    "--meta-batch 8 --meta-lr-half-life 50 --inner-steps 3 "
    "--inner-lr 0.001 --lam-lr 0.1 --validation-interval 7 --validation-tasks 6 "
    "--test-tasks 5 --checkpoint-seconds 0 --resume"
).split()
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


WORKERS = ("--threads 1 --processes 1", "--threads 2", "--processes 2")


def start(out, workers=WORKERS[0]):
    command = [sys.executable, *TRAIN, "--out", str(out), *workers.split()]
    return subprocess.Popen(command, **QUIET)


def finish(out):
    with pytest.MonkeyPatch.context() as monkeypatch:
        no_figures(monkeypatch)
        assert main([*TRAIN[2:], "--out", str(out), *WORKERS[0].split()]) == 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    finish(out)
    assert state_of(out)["step"] == STEPS
    assert {"best/theta", "lam_optimizer/m", "optimizer/s"} <= state_of(out).keys()
    return out


def stop_after_a_step(out, signum, workers, *, delay):
    """Start or resume; some time after the first new checkpoint, send a signal."""
    before = written(out)
    with start(out, workers) as process:
        while written(out) == before:
            assert process.poll() is None, "finished before it could be stopped"
            time.sleep(0.002)
        time.sleep(delay)
        process.send_signal(signum)
    return process.returncode


def written(out):
    """When the checkpoint was written, 0 if never."""
    try:
        return (out / "checkpoint.h5").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


DIES = """
import os, signal, sys
from imaml_ref.cli import main

name, when, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
real = getattr(os, name)

def dying(*args):
    global count
    count -= name == "fsync" or "checkpoint" in str(args[0])
    if count == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(*args)
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(os, name, dying)
main(sys.argv[4:])
"""


def die_while_writing(out, *moment):
    """Start or resume; die before or after the n-th call of an operation."""
    flags = [*map(str, moment), *TRAIN[2:], "--out", str(out)]
    command = [sys.executable, "-c", DIES, *flags]
    return subprocess.run(command, check=False, **QUIET).returncode


# Once with each kind of workers; CI does it twice.
@pytest.mark.parametrize("kills", [3, pytest.param(6, marks=pytest.mark.thorough)])
def test_killed_at_any_moment(kills, undisturbed, tmp_path):
    out, rng = tmp_path / "run", np.random.default_rng(7)
    # before anything is there, then around the rename of a checkpoint, then anywhere
    with start(out) as process:
        time.sleep(rng.uniform(0, 0.6))
        process.kill()
    statuses = [process.returncode]
    statuses.append(die_while_writing(out, "replace", "before", 3))
    assert any(".part" in p.name for p in out.iterdir())
    statuses.append(die_while_writing(out, "replace", "after", 4))
    statuses.append(die_while_writing(out, "fsync", "before", 17))
    for kill in range(kills):
        delay = rng.uniform(0, 0.03)
        workers = WORKERS[kill % 3]
        statuses.append(stop_after_a_step(out, signal.SIGKILL, workers, delay=delay))
    assert statuses == [-signal.SIGKILL] * (4 + kills)
    finish(out)
    assert not any(".part" in p.name for p in out.iterdir())
    assert_same_run(out, undisturbed)


# Who works matters to a signal where they are processes.
@pytest.mark.parametrize(
    "workers", [pytest.param(WORKERS[1], marks=pytest.mark.thorough), WORKERS[2]]
)
def test_stopped_by_signals(workers, undisturbed, tmp_path):
    out = tmp_path / "run"
    for signum, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        assert stop_after_a_step(out, signum, workers, delay=0.02) == status
        assert len(rows_of(out)) == state_of(out)["step"] < STEPS
    finish(out)
    assert_same_run(out, undisturbed)
