"""benchmarks/meta_step: counts, verdicts, processes that fail, tables, records."""

import json
import signal
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.meta_step import run as bench
from benchmarks.meta_step.contest import Row
from benchmarks.meta_step.contest import contest as hold_contest
from benchmarks.meta_step.registry import PEERS
from benchmarks.shared import memory as processes
from benchmarks.shared.peer import SGEMM, Peer
from benchmarks.shared.verdict import digits, fault
from benchmarks.shared.workloads import WORKLOADS, draw

TINY = ["--tasks", "2", "--inner-steps", "2", "--cg-steps", "2", "--rounds", "2"]
# What other libraries could do wrong; each is a module with a function ``build``.
STUBS = {
    "doubled": "return right._replace(task_grads=lambda: 2 * right.task_grads())",
    "another": "return right._replace(step=lambda: 2 * right.step())",
    "dying": "return right._replace(task_grads=lambda: os.kill(os.getpid(), 9))",
    "raising": "raise ValueError('the reason\\nmore of it')",
    "slow": "return right._replace(task_grads=lambda: time.sleep(60))",
    "hungry": "return right._replace(task_grads=lambda: hold(np.ones(10**9 // 8)))",
    "rounding": "return right._replace(task_grads=lambda: off(right, problem))",
    "known": "return right._replace(step=lambda: (np.ones(10**7), right.step())[1])",
}
STUB = """
import os, time
import numpy as np
from benchmarks.shared import imaml_reference

def hold(array):
    time.sleep(60)

def off(right, problem):
    # In float32 half of the tasks jump, in float64 none.
    single = problem.theta.dtype == np.float32
    return right.task_grads() * np.array([[1], [1 + 0.01 * single]])

def build(problem):
    print('this is no answer')
    right = imaml_reference.build(problem)
    {}
"""


def add_stubs(folder, monkeypatch):
    """Write the stubs to a folder, and enter them among the contenders."""
    for name, body in STUBS.items():
        (folder / f"{name}.py").write_text(STUB.format(body))
        monkeypatch.setitem(PEERS, name, Peer(name, name, checkout="released"))


@pytest.fixture
def contest(tmp_path, monkeypatch):
    """Return a function from names, of stubs too, and arguments to rows."""
    add_stubs(tmp_path, monkeypatch)

    def run(names, *given):
        args = bench.arguments([*TINY, "--threads", "1", *given])
        args.released = tmp_path
        (workload,) = bench.chosen_workloads(args).values()
        return hold_contest(workload, names, args, tmp_path, lambda line: None)

    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Run the script once; return its folder, what it printed, and its contenders."""
    folder, printed = tmp_path_factory.mktemp("meta_step"), StringIO()
    names = ["imaml_ref", "known", "rounding"]
    words = [*TINY, "--threads", "1", "--released", str(folder), "--contenders"]
    words += [*names, "--out", str(folder / "out")]
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        add_stubs(folder, patch)
        small = replace(PEERS[SGEMM], options={"order": 64})  # of 4096 it takes seconds
        patch.setitem(PEERS, SGEMM, small)
        patch.setattr(bench, "CONTENDERS", names)
        patch.setattr(sys, "argv", ["run.py", *words])
        with redirect_stdout(printed):
            bench.main()
    signal.signal(signal.SIGTERM, before)
    text = (folder / "out" / "meta_step.json").read_text()
    assert str(folder) not in text
    return folder / "out", printed.getvalue(), json.loads(text)


@pytest.fixture
def contenders(whole):
    (workload,) = whole[2]["workloads"].values()
    return workload["contenders"]


def row(name, seconds, **known):
    return Row(name, seconds=seconds, **known)


def test_useful_operations_are_those_counted_by_hand():
    found = {name: bench.gigaflop(w) for name, w in bench.WORKLOADS.items()}
    want = {"W1": 70.1, "W2": 350.3, "W3": 140.3, "W4": 306.2}
    assert_allclose([found[n] for n in want], list(want.values()), atol=0.05)


def test_digits_are_those_of_the_relative_error_of_each_task():
    g = np.random.default_rng(0).normal(size=(4, 50))
    factors = 1 + np.array([1e-3, 1e-7, 0, np.nan])[:, None]
    assert_allclose(digits(factors * g, g), [3, 7, 17, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("off", "dtype", "said"),
    [
        ([1e-6] * 9 + [1e-3], "float32", None),
        ([1e-6] * 8 + [1e-3] * 2, "float32", "80% of the tasks have 4 digits"),
        ([2e-5] * 10, "float32", "4.7 digits, needs 5"),
        ([1e-12] * 9 + [1e-7], "float64", None),
        ([1e-6] * 10, "float64", "6.0 digits, needs 10"),
    ],
)
def test_a_few_tasks_may_jump_but_not_the_median(off, dtype, said):
    g = np.random.default_rng(0).normal(size=(10, 50))
    tasks = (1 + np.array(off)[:, None]) * g
    found = {"tasks": tasks, "mean": tasks.mean(0)}
    wrong = fault(found, digits(tasks, g), dtype)
    assert wrong is None if said is None else said in wrong


def test_contenders_that_go_wrong_become_rows_with_reasons(contest):
    names = ["imaml_ref", "doubled", "another", "dying", "raising", "slow", "hungry"]
    rows = contest(names, "--limit", "8", "--memory", "0.8")
    assert list(rows) == names
    ours = rows["imaml_ref"]
    assert ours.counts
    assert len(ours.seconds) == 2
    assert min(ours.digits) > 5
    assert "other meta-gradients" in rows["doubled"].void
    assert_allclose(rows["doubled"].digits, 0, atol=1e-3)
    assert "not the mean" in rows["another"].void
    assert len(rows["doubled"].seconds) == 2
    assert not rows["doubled"].digits_in_float64
    assert rows["dying"].reason == "died: SIGKILL; this is no answer"
    assert rows["raising"].reason == "ValueError: the reason"
    assert rows["slow"].reason == "no answer within 8 s"
    assert rows["hungry"].reason == "needs more than 0.8 GB"
    assert not any(rows[name].seconds for name in names[3:])


def test_where_rounding_decides_in_float32_float64_is_asked(whole, contenders):
    found = contenders["rounding"]
    assert found["reason"] is found["void"] is None
    assert len(found["seconds"]) == 2
    assert min(found["digits"]) < 2.5
    assert min(found["digits_in_float64"]) > 14
    assert found["times_imaml_ref"] > 0  # so it counts
    assert not contenders["known"]["digits_in_float64"]
    assert "float64: 17.0" in whole[1]


def test_memory_beyond_the_data_is_what_a_step_holds(contenders):
    if processes.total(processes.peak, [1]) is None:
        pytest.skip("the system does not tell the memory of processes")
    assert contenders["known"]["void"] is None
    assert contenders["imaml_ref"]["peak"] < 6e7  # NumPy alone holds more
    extra = contenders["known"]["peak"] - contenders["imaml_ref"]["peak"]
    assert_allclose(extra, 8e7, rtol=0.3)


def test_the_record_says_what_was_run_and_no_path(whole, contenders):
    folder, printed, found = whole
    words = "--released PATH --contenders imaml_ref known rounding --out PATH"
    assert found["command"].startswith("python benchmarks/run.py meta_step --tasks")
    assert found["command"].endswith(words)
    ours = contenders["imaml_ref"]
    assert len(ours["seconds"]) == 2
    assert ours["seconds_median"] == np.median(ours["seconds"])
    assert (folder / "meta_step.png").stat().st_size > 5000
    assert "share of the sgemm rate" in printed


@pytest.mark.parametrize(
    ("library", "names"),
    [
        ("torch", ["torch_tasks", "torch_vmap"]),
        ("torchopt", ["torchopt"]),
        ("jax", ["jax_expert"]),
    ],
)
def test_other_libraries_have_the_same_meta_gradients(contest, library, names):
    pytest.importorskip(library)
    rows = contest(names, "--dtype", "float64", "--rounds", "1")
    for name in names:
        assert rows[name].reason is None
        assert rows[name].void is None
        assert min(rows[name].digits) > 10


def test_processes_and_devices_share_the_tasks(contest):
    pytest.importorskip("torch")
    given = "--threads", "2", "--tasks", "3", "--dtype", "float64", "--rounds", "1"
    rows = contest(["torch_tasks"], *given)
    assert len(rows["torch_tasks"].digits) == 3
    assert min(rows["torch_tasks"].digits) > 10


def test_who_cannot_take_part_is_left_out_with_a_reason(monkeypatch, capsys):
    lacking = replace(PEERS["jax_vmap"], needs=("no_such_package",))
    monkeypatch.setitem(PEERS, "jax_vmap", lacking)
    given = ["--contenders", "jax_vmap", "released", "jax_sharded", "--threads", "1"]
    monkeypatch.setitem(PEERS, "released", replace(PEERS["released"], needs=()))
    monkeypatch.setitem(PEERS, "jax_sharded", replace(PEERS["jax_sharded"], needs=()))
    assert bench.chosen_contenders(bench.arguments(given)) == ["imaml_ref"]
    said = capsys.readouterr().out
    assert "no_such_package is not installed" in said
    assert "no --released PATH" in said
    assert "one thread: the same" in said


def test_ratios_are_of_medians_and_leave_void_rows_out():
    rows = {
        "imaml_ref": row("imaml_ref", [2.0, 1.0, 9.0], peak=10**7, digits=[6.0]),
        "jax_sharded": row("jax_sharded", [1.0], void="other", peak=10**6),
        "jax_expert": row(
            "jax_expert", [3.0, 4.0, 9.0], peak=2 * 10**7, digits=[6.0, 3.0]
        ),
        "torch_tasks": row("torch_tasks", [], reason="died: SIGKILL"),
        "sgemm": row("sgemm", [1.0]),
    }
    found = bench.summary(rows, gigaflop=68.7)
    time, memory, share = found.values()
    assert next(iter(found)) == (
        "time, imaml_ref / best JAX expert (JAX expert, one device)"
    )
    assert (time, memory) == (0.5, 0.5)
    assert_allclose(share, 0.25, rtol=1e-3)
    lines = bench.table(rows, 68.7, "float32").splitlines()
    assert "void: other" in lines[2]
    assert lines[2].split().count("–") == 3  # no rate, no share, no ratio
    assert lines[3].split()[-3:] == ["2.00", "4.5,", "50%"]
    assert lines[4].endswith("no time: died: SIGKILL")


def test_the_figure_has_a_bar_for_every_time():
    rows = {
        "imaml_ref": row("imaml_ref", [1.0]),
        "released": row("released", [4.0], void="other"),
        "torch_tasks": row("torch_tasks", [], reason="died"),
        "sgemm": row("sgemm", [1.0]),
    }
    drawn = bench.figure({"W1": ("small", rows, 70.0), "W2": ("large", {}, 1.0)}, "T")
    axes = drawn.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["released code", "imaml_ref"]
    assert [text.get_text() for text in axes.texts] == [" 4.00 s (void)", " 1.00 s"]


def test_layouts_of_pytorch_are_moved_there_and_back():
    pytest.importorskip("torch")
    from benchmarks.shared import torch_net

    problem = draw(replace(WORKLOADS["W1"], tasks=1), threads=1)
    theirs = torch_net.theirs(problem)
    assert theirs[4].shape == (64, 64, 3, 3)
    assert_array_equal(torch_net.ours(problem.ways, theirs), problem.theta)
