"""How one asks: some levels, with progress on a terminal, and Ctrl-C that keeps."""

import signal
import sys
import threading

import numpy as np
import pytest

from imaml_ref.conformance import (
    Computation,
    as_html,
    as_text,
    ask,
    check,
    check_file,
    progress,
    write_answers,
)
from tests.helpers.conformance_reports import SUITE


def test_only_the_levels_that_are_named_are_asked_and_judged(tmp_path):
    cases = ["ridge", "spd-10", "mlp-tanh"]
    seen = []
    report = check(
        Computation(),
        cases=cases,
        levels=("L4", "L1"),
        observe=lambda case, level: seen.append(level),
    )
    assert seen == ["L1", "L4"] * 2
    assert {v.level for v in report.verdicts} == {"L1", "L4"}
    assert report.count("not attempted") == 0
    write_answers(tmp_path / "a.h5", ask(Computation(), [SUITE[n] for n in cases[:2]]))
    report = check(Computation(), cases=cases[:2], levels=("L1", "L4"))
    of_file = check_file(tmp_path / "a.h5", cases=cases[:2], levels=["L1", "L4"])
    assert of_file.verdicts == report.verdicts


def test_a_level_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="no level 'L9'; there are L1, L2, L3"):
        check(Computation(), levels=("L9",))
    with pytest.raises(ValueError, match="none of the cases asks for L1 or L2"):
        check(Computation(), cases=["spd-10"], levels=("L1", "L2"))


class Interrupted(Computation):
    """Somebody presses Ctrl-C during L2 of mlp-tanh."""

    def hvp(self, case):
        if case.name == "mlp-tanh":
            signal.raise_signal(signal.SIGINT)
        return super().hvp(case)


class Deaf(Interrupted):
    """Catches everything."""

    def hvp(self, case):
        try:
            return super().hvp(case)
        except BaseException:
            return super(Interrupted, self).hvp(case)


@pytest.fixture(autouse=True)
def interrupts_are_heard():
    """A program in the background of a shell is started deaf to SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("subject", [Interrupted(), Deaf()], ids=["usual", "deaf"])
def test_ctrl_c_gives_the_report_so_far(subject):
    before = signal.getsignal(signal.SIGINT)
    report = check(subject, cases=["ridge", "mlp-tanh", "conv-tanh"])
    assert signal.getsignal(signal.SIGINT) is before
    assert report.interrupted == "L2 of mlp-tanh"
    found = {(v.case, v.level) for v in report.verdicts}
    assert found == {("ridge", level) for level in SUITE["ridge"].levels} | {
        ("mlp-tanh", "L1")
    }
    said = "interrupted at L2 of mlp-tanh: the report is on what was answered before"
    assert said in as_text(report)
    assert said in as_html(report)
    assert check(Computation(), cases=["spd-10"]).interrupted == ""


def test_ctrl_c_before_the_first_answer_gives_an_empty_report():
    report = check(Interrupted(), cases=["mlp-tanh"], levels="L2")
    assert report.verdicts == ()
    assert repr(report) == "<Report on Interrupted: nothing was asked>"
    assert "interrupted at L2 of mlp-tanh" in as_text(report)


def test_another_thread_may_ask():
    found = []
    thread = threading.Thread(
        target=lambda: found.append(check(Computation(), cases=["spd-10"]))
    )
    thread.start()
    thread.join()
    assert found[0].passed


def test_a_report_says_briefly_what_it_is():
    report = check(Computation(), cases=["spd-10", "ridge", "indefinite"])
    assert len(report.verdicts) > 8
    assert repr(report) == (
        f"<Report on Computation: {report.count('pass')} pass, 1 warned>"
    )


class Screen:
    """A stream, terminal or not."""

    def __init__(self, *, terminal):
        self.terminal, self.text = terminal, ""

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_shows_one_line_and_takes_it_away(monkeypatch, terminal):
    screen = Screen(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    clock = iter(np.arange(0, 1000, 60.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    check(Computation(), cases=["spd-10", "spd-1e6", "ridge"], levels=("L3", "L1"))
    lines = screen.text.split(progress.CLEAR)
    if not terminal:
        assert screen.text == ""
        return
    assert (lines[0], lines[-1]) == ("", "")
    assert "\n" not in screen.text
    assert lines[1].startswith("ridge L1, ") or lines[1].startswith("spd-")
    assert lines[2].endswith(" left")
    assert ", 3 of 3, " in lines[-2]


def test_time_left_follows_what_the_questions_cost():
    asked = [(SUITE["ridge"], "L1"), (SUITE["ridge"], "L7")]
    line = progress.Line(asked)
    first, second = line.costs
    assert second > 10 * first
    assert progress.told(59.4) == "59 s"
    assert progress.told(200) == "3 min 20 s"


def test_a_screen_that_is_gone_ends_nothing(monkeypatch):
    class Gone(Screen):
        def write(self, text):
            raise OSError("input/output error")

    monkeypatch.setattr(sys, "stderr", Gone(terminal=True))
    monkeypatch.setattr(progress, "SOON", -1.0)
    assert check(Computation(), cases=["spd-10"]).passed
