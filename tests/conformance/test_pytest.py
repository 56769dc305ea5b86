"""The suite inside somebody's own tests; and the examples run."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from imaml_ref.conformance import Engine, load_suite
from imaml_ref.conformance.pytest_plugin import (
    DidNotWarn,
    check_level,
    conformance_tests,
    questions,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("ridge", "spd-10", "saddle")
SUITE = load_suite()

test_the_engine_here = conformance_tests(Engine, cases=NAMES, dtype="float32")

MINE = """
import warnings

import numpy as np
import pytest

from imaml_ref.conformance import Computation
from imaml_ref.conformance.pytest_plugin import (
    check_level, conformance_tests, questions
)


class Mine(Computation):
    def hvp(self, case):
        return 2 * super().hvp(case)

    def outer_step(self, case, theta, state):
        raise NotImplementedError

    def refuse_indefinite(self, A):
        pass


test_mine = conformance_tests(Mine(), cases=["ridge", "indefinite"])


@pytest.mark.parametrize(("case", "level"), questions(["spd-10"]))
def test_another_way(case, level):
    check_level(Mine, case, level)
"""


@pytest.fixture(name="outcome", scope="module")
def run_pytest(tmp_path_factory):
    """What pytest says of the tests above."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "test_mine.py").write_text(MINE)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-rs"),
            *("-p", "no:cacheprovider", "-p", "no:xdist", "."),
        ],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return done.stdout


def test_there_is_one_test_for_each_case_and_level(outcome):
    found = dict(re.findall(r"test_mine.py::(\S+) (\w+)", outcome))
    assert found == {
        "test_mine[ridge-L1]": "PASSED",
        "test_mine[ridge-L2]": "FAILED",
        "test_mine[ridge-L4]": "PASSED",
        "test_mine[ridge-L5]": "PASSED",
        "test_mine[ridge-L6]": "SKIPPED",
        "test_mine[ridge-L7]": "SKIPPED",
        "test_mine[ridge-U]": "PASSED",
        "test_mine[indefinite-L3]": "PASSED",
        "test_another_way[spd-10-L3]": "PASSED",
    }


def test_a_failure_shows_our_lines_and_no_traceback(outcome):
    _, _, failures = outcome.partition("= FAILURES =")
    shown, _, _ = failures.partition("= warnings summary =")
    assert "ridge L2 hvp: 0.00 digits, 10.00 required" in shown
    assert re.search(
        r"head\.\w+\[.*\], task \d: got \S+, expected \S+, ratio 2\n", shown
    )
    assert len(shown.strip("= \n").splitlines()) == 3  # name of the test, our two
    assert "Traceback" not in outcome


def test_what_is_not_attempted_is_skipped_by_name(outcome):
    assert "Mine does not answer theta" in outcome


def test_an_answer_that_should_have_been_refused_is_a_warning(outcome):
    _, _, summary = outcome.partition("= warnings summary =")
    assert "DidNotWarn: indefinite L3 x: did not warn: A is not positive" in summary


def test_a_level_by_itself():
    class Solving:
        def solve(self, A, b):
            return 0 * b

    with pytest.raises(pytest.fail.Exception, match=r"spd-10 L3 x: 0\.00 digits"):
        check_level(Solving, SUITE["spd-10"], "L3")
    with pytest.warns(DidNotWarn, match="indefinite L3 x: did not warn"):
        check_level(Solving(), SUITE["indefinite"], "L3")
    with pytest.raises(pytest.skip.Exception, match="does not answer loss, grad"):
        check_level(Solving(), SUITE["ridge"], "L1")


def test_questions_are_all_levels_of_the_cases():
    every = questions()
    assert len(every) == sum(len(case.levels) for case in SUITE.values())
    assert [p.id for p in questions(["saddle"])] == ["saddle-L4"]
    with pytest.raises(ValueError, match="no case 'rigde'"):
        questions(["rigde"])


def test_pytest_does_not_load_it_by_itself():
    config = (EXAMPLES.parent / "pyproject.toml").read_text("utf-8")
    assert "pytest11" not in config


# The examples


def printed(name, monkeypatch, capsys):
    """Return what an example prints; it runs here, where warnings are errors too."""

    def ended(status):
        assert status == 0

    monkeypatch.setattr(sys, "argv", [name])
    monkeypatch.setattr(sys, "exit", ended)
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_the_example_in_python_tells_right_from_wrong(monkeypatch, capsys):
    out = printed("conformance_python.py", monkeypatch, capsys)
    right, _, wrong = out.partition("Ridge, suite")
    assert "✗" not in right.partition("digits of the worst")[0]
    assert "31 passed, 0 failed, 357 not attempted" in wrong
    assert "ForgetfulRidge, suite 2.0: 21 passed, 10 failed" in wrong
    block = wrong.partition("✗ ridge L4 meta_grad")[2].splitlines()[1]
    assert block.endswith("ratio 2.37037")  # 1/λ


def test_the_example_with_files_needs_no_imaml_ref_to_answer(monkeypatch, capsys):
    out = printed("conformance_files.py", monkeypatch, capsys)
    assert "71 passed, 0 failed, 317 not attempted" in out
    source = (EXAMPLES / "conformance_files.py").read_text("utf-8")
    before_main, _, _ = source.partition("def main(")
    assert "import imaml_ref" not in before_main
    assert "from imaml_ref" not in before_main


def test_the_example_with_files_is_a_program_to_run(tmp_path, capsys):
    from imaml_ref.cli import main

    program = [sys.executable, str(EXAMPLES / "conformance_files.py")]
    words = ["conformance", "run", "--", *program, "{inputs}", "{answers}"]
    assert main(words) == 0
    assert "71 passed, 0 failed" in capsys.readouterr().out
