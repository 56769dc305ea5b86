"""Runs from Python: which θ is chosen, and what a signal does in the middle."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.cli import main
from imaml_ref.compute.parallel import set_num_processes
from imaml_ref.config import make_config
from imaml_ref.data import write_dataset
from imaml_ref.runs import (
    Interrupted,
    RunFolder,
    Silent,
    finish,
    load_run,
    prepare,
    train_run,
)
from imaml_ref.runs.finish import choose
from imaml_ref.runs.interruption import EXIT_STATUS, Interruption
from imaml_ref.training.checkpoint import Best, write_checkpoint
from imaml_ref.training.evaluation import Evaluation
from imaml_ref.training.loop import Diverged
from tests.helpers.tiny_runs import TINY, as_flags, make_images, no_figures


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch):
    no_figures(monkeypatch)


@pytest.fixture
def make_run(tmp_path):
    """Return a function that prepares a run of some keys in a folder."""
    write_dataset(tmp_path / "patches.h5", make_images())

    def make(**keys):
        known = TINY | {"data": str(tmp_path / "patches.h5"), "meta-steps": 2}
        config = make_config(known | {n.replace("_", "-"): v for n, v in keys.items()})
        config = replace(config, checkpoint_seconds=1000.0)
        return prepare(config, RunFolder(tmp_path / "run"))

    return make


class Validation:
    """A tester that always finds the same accuracies on the validation tasks."""

    def __init__(self, accuracies):
        self.found = Evaluation("val", np.ones(4), np.array(accuracies))

    def evaluate(self, what, algorithm, theta, split, num_tasks):
        assert split == "val"
        return self.found


LAST = [0.5, 0.6, 0.7, 0.6]  # 0.6 ± 3.182 · 0.0816 / 2 = 0.6 ± 0.130


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.59, "last"), (0.6, "last"), (0.729, "last"), (0.731, "best"), (1.0, "best")],
)
def test_the_best_theta_is_taken_only_beyond_the_interval_of_the_last(
    make_run, score, expected
):
    run = make_run(validation_interval=0)
    train_run(run)
    last = load_run(run.folder.path).checkpoint.state
    best = Best(1, score, last.theta + 1, last.lam)
    choice = choose(run, replace(last, best=best), Validation(LAST))
    assert choice["theta"] == expected
    assert choice["theta_step"] == {"last": 2, "best": 1}[expected]
    assert choice["validation_accuracy"] == pytest.approx(0.6)
    assert choice["validation_best"] == score


def test_a_divergence_of_the_inner_loop_names_the_key_of_the_run(make_run):
    """One step of 1e6 makes ‖∇G‖ = αλ ‖∇L‖ at least, more than a thousand times."""
    expected = r"lower step_size \(inner-lr of a run\) below .*, now 1e\+06"
    with pytest.raises(Diverged, match=expected):
        train_run(make_run(inner_lr=1e6))


def test_the_largest_seed_goes_through_a_checkpoint(make_run):
    seed = 2**64 - 1
    train_run(make_run(seed=seed))
    assert make_run(seed=seed, meta_steps=3).state.step == 2
    checkpoint = load_run(make_run(seed=seed).folder.path).checkpoint
    assert checkpoint.about["seed"] == seed


def test_without_validation_the_last_theta_is_taken(make_run):
    summary = train_run(make_run(validation_interval=0))
    assert (summary["theta"], summary["theta_step"]) == ("last", 2)
    assert "no validation" in summary["theta_reason"]


def test_the_chosen_theta_is_the_one_that_is_loaded(make_run):
    run = make_run(validation_interval=1)
    train_run(run)
    checkpoint = load_run(run.folder.path).checkpoint
    best = Best(1, 1.0, checkpoint.state.theta + 1, checkpoint.state.lam * 2)
    state = replace(checkpoint.state, best=best)
    write_checkpoint(
        run.folder.checkpoint, replace(checkpoint, state=state, chosen="best")
    )
    loaded = load_run(run.folder.path)
    assert_array_equal(loaded.theta, checkpoint.state.theta + 1)
    assert loaded.algorithm.lam == 2 * run.config.lam


def test_validation_and_test_ask_for_their_own_splits(make_run, monkeypatch):
    asked = []

    def spy(self, what, algorithm, theta, split, num_tasks):
        asked.append((split, num_tasks))
        return Evaluation(split, np.ones(4), np.ones(4), np.ones(4))

    monkeypatch.setattr(finish.Tester, "evaluate", spy)
    summary = train_run(make_run(validation_interval=1))
    assert asked == [("val", 4), ("test", 5), ("test", 5)]
    assert summary["validation_accuracy"] == 1.0


class SignalsDuring(Silent):
    """A reporter that has the process signalled while some work is going on."""

    def __init__(self, what):
        self.what = what

    def progress(self, what, total, *, done=0):
        if what == self.what:
            signal.raise_signal(signal.SIGTERM)
        return super().progress(what, total, done=done)


def test_a_signal_in_the_test_stops_there_and_the_run_can_go_on(make_run):
    run = make_run()
    with pytest.raises(Interrupted) as caught:
        train_run(run, SignalsDuring("testing"))
    assert caught.value.exit_status == 143
    assert load_run(run.folder.path).checkpoint.state.step == 2
    assert not run.folder.summary.exists()
    again = prepare(run.config, run.folder)
    assert not again.finished
    summary = train_run(again)
    assert json.loads(run.folder.summary.read_text()) == summary
    assert prepare(run.config, run.folder).finished


def test_json_has_null_for_what_is_no_number(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_summary({"a": float("nan"), "b": float("inf"), "c": 0.5, "d": "x"})
    assert folder.read_summary() == {"a": None, "b": None, "c": 0.5, "d": "x"}


def test_a_run_is_not_finished_when_more_is_asked_for(make_run):
    run = make_run()
    assert not run.finished
    train_run(run)
    for key, value in (("meta_steps", 3), ("test_tasks", 6)):
        more = replace(run.config, **{key: value})
        assert not prepare(more, run.folder).finished


@pytest.fixture
def _interruptible():
    """Python's own handler, also where a shell in the background has us ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_the_second_signal_acts_at_once():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.signum == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def in_a_thread(work):
    """Return what a function returns in a thread of its own, or raise what it did."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.parametrize("workers", [{"threads": 2}, {"processes": 2}])
def test_a_run_in_a_thread_is_the_same_and_leaves_signals_alone(
    make_run, monkeypatch, workers
):
    handled = []

    def note_handlers(self, what, total, *, done=0):
        handled.append(tuple(map(signal.getsignal, EXIT_STATUS)))
        return nullcontext(self)

    monkeypatch.setattr(Silent, "progress", note_handlers)
    before = tuple(map(signal.getsignal, EXIT_STATUS))
    run = make_run(**workers)
    try:
        summary = in_a_thread(lambda: train_run(run))
    finally:
        set_num_processes(1)
    assert set(handled) == {before}
    assert summary["meta_steps"] == 2
    here = train_run(make_run())
    assert here["test_loss"] == pytest.approx(summary["test_loss"], rel=1e-4)


def test_a_program_in_a_thread_trains_and_evaluates(tmp_path, capsys):
    write_dataset(tmp_path / "patches.h5", make_images())
    out = str(tmp_path / "run")
    keys = TINY | {"data": tmp_path / "patches.h5", "out": out, "meta-steps": 1}
    assert in_a_thread(lambda: main(["train", *as_flags(keys)])) == 0
    assert in_a_thread(lambda: main(["evaluate", out, "--tasks", "3"])) == 0
    assert "accuracy, transductive" in capsys.readouterr().out


def test_handlers_that_are_not_pythons_stay(monkeypatch):
    set_by, real = [], signal.signal
    monkeypatch.setattr(signal, "getsignal", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *a: set_by.append(a) or real(*a))
    with Interruption():
        pass
    assert set_by == []
