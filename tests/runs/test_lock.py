"""No two programs write one run, and a lock ends with its process."""

import multiprocessing
import os
import shutil
import signal
import time
import warnings
from contextlib import contextmanager

import portalocker
import pytest

from imaml_ref.cli import main
from imaml_ref.runs import Busy, RunFolder, Silent, prepare, resumed_config, train_run
from imaml_ref.runs.lock import locked
from tests.helpers.tiny_runs import snapshot, train

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A finished run of one meta-step."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(data, out, "--meta-steps", "1", "--validation-interval", "0") == 0
    return out


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run."""
    return shutil.copytree(finished, tmp_path / "run")


@contextmanager
def holder(folder):
    """Start a process that holds a lock and has a fork; yield it and the fork's id."""
    forking = multiprocessing.get_context("fork")
    ours, theirs = forking.Pipe()
    process = forking.Process(target=hold, args=(folder, theirs))
    with warnings.catch_warnings():  # the fork takes no lock of another thread's
        warnings.filterwarnings("ignore", "This process .* is multi-threaded")
        process.start()
    assert ours.poll(60)
    worker = ours.recv()
    try:
        yield process, worker
    finally:
        process.kill()
        process.join()
        os.kill(worker, signal.SIGKILL)


def hold(folder, pipe):
    """Hold the lock of a folder, as does a fork that is not waited for."""
    with locked(folder):
        if not os.fork():
            pipe.send(os.getpid())
        time.sleep(600)


def test_a_run_that_is_being_written_is_refused_in_one_line(run, capsys):
    more = ["train", "--resume", "--out", str(run), "--meta-steps", "2"]
    with holder(run):
        before = snapshot(run)
        capsys.readouterr()
        assert main(more) == 2
        out, err = capsys.readouterr()
        assert main(["evaluate", str(run), "--tasks", "2"]) == 0  # it only reads
        assert snapshot(run) == before
    assert out == ""
    assert len(err.splitlines()) == 1
    assert f"another program is writing the run {run}" in err
    assert main(more) == 0


def test_a_lock_ends_with_its_process_though_a_fork_lives_on(tmp_path):
    with holder(tmp_path) as (process, worker):
        process.kill()
        process.join()
        os.kill(worker, 0)  # raises if it has ended
        with locked(tmp_path) as held:
            assert held


def test_a_fork_that_ends_leaves_the_lock_to_its_parent(tmp_path):
    with locked(tmp_path):
        worker = os.fork()
        if not worker:
            os._exit(0)
        os.waitpid(worker, 0)
        with pytest.raises(Busy), locked(tmp_path):
            pass
    with locked(tmp_path) as held:
        assert held


def test_a_new_run_begins_once(data, tmp_path, capsys):
    """Both found the folder free, one was first."""
    out = tmp_path / "run"
    with locked(out):
        assert train(data, out, "--meta-steps", "1") == 2
        assert "another program is writing" in capsys.readouterr().err
        assert os.listdir(out) == [".lock"]
    assert train(data, out, "--meta-steps", "1") == 0


def test_a_run_that_another_program_took_further_is_not_taken_back(run):
    folder = RunFolder(run)
    prepared = [
        prepare(resumed_config(folder, {"meta-steps": n}), folder) for n in (2, 3)
    ]
    train_run(prepared[0])
    before = snapshot(run)
    with pytest.raises(Busy, match="from meta-step 1 to 2 meanwhile"):
        train_run(prepared[1])
    assert snapshot(run) == before


class Notes(Silent):
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


def test_where_files_cannot_be_locked_one_line_says_so(run, monkeypatch):
    def refuse(*_):
        raise portalocker.LockException("No locks available")

    monkeypatch.setattr(portalocker, "lock", refuse)
    folder, notes = RunFolder(run), Notes()
    train_run(prepare(resumed_config(folder, {"meta-steps": 2}), folder), notes)
    (line,) = [text for text in notes.lines if "lock" in text]
    assert "without locks" in line
    assert "\n" not in line
    assert folder.read_summary()["meta_steps"] == 2
