"""Runs from Python: which θ is chosen, and what a signal does in the middle."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tiny_runs import TINY, make_images, no_figures

from imaml_ref.checkpoint import Best, write_checkpoint
from imaml_ref.config import make_config
from imaml_ref.data import write_dataset
from imaml_ref.evaluation import Evaluation
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
from imaml_ref.runs.interruption import Interruption


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


LAST = [0.5, 0.6, 0.7, 0.6]  # 0.6 ± 1.96 · 0.0816 / 2 = 0.6 ± 0.080


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.59, "last"), (0.6, "last"), (0.679, "last"), (0.681, "best"), (1.0, "best")],
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
