"""Parts of benchmarks/gpu.py: budgets, who takes part, verdicts, ratios."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
MODULES = ("gpu", "gpu_parts", "peers")


@pytest.fixture
def load(monkeypatch):
    """Return a function that imports a module of the folder, while the test runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in [n for n in sys.modules if n.partition(".")[0] in MODULES]:
        sys.modules.pop(name)


def rows(load, **medians):
    """Return rows of contenders by name, each with one time in seconds."""
    Row = load("gpu_parts.contest").Row
    return {name: Row(name, seconds=[s]) for name, s in medians.items()}


def test_a_budget_gives_out_what_there_is(load, monkeypatch):
    budget = load("gpu_parts.budget")
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(budget.time, "monotonic", lambda: clock.now)
    whole = budget.Budget(10)
    part = whole.keeping(4)
    clock.now = 5.0
    assert (whole.left, part.left, whole.spent) == (5, 1, 5)
    assert part.has(1)
    assert not part.has(1.5)


class Worker:
    """Stands for the process of a contender, which takes its time."""

    def __init__(self, clock, seconds):
        self.clock, self.takes, self.seconds = clock, seconds, None

    def ask(self, line):
        self.clock.now += self.takes
        return {"seconds": [3.0, 1.0, 2.0]}

    def close(self):
        pass


@pytest.fixture
def contest(load, monkeypatch, tmp_path):
    """Return a contest of two contenders whose turns take ten seconds each."""
    clock, said = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(load("gpu_parts.budget").time, "monotonic", lambda: clock.now)
    module = load("gpu_parts.contest")
    args = SimpleNamespace(rounds=5, turn=0.1, dtype="float32")
    one = module.Contest(args, tmp_path, said.append)
    one.clock, one.said = clock, said
    for name in ("kernels", "graphs"):
        one.rows[name], one.children[name] = module.Row(name), Worker(clock, 10)
    yield one
    monkeypatch.undo()


def test_rounds_that_there_is_no_time_for_are_dropped_and_said(contest, load):
    contest.take_turns(load("gpu_parts.budget").Budget(75))
    assert contest.rows["kernels"].seconds == [2.0, 2.0, 2.0]
    assert contest.said == ["3 of 5 rounds: no time for more"]


def test_a_contender_that_there_is_no_time_for_is_left_out_and_said(contest, load):
    row = contest.rows["graphs"]
    contest.prepare(row, load("gpu_parts.budget").Budget(1))
    assert row.reason == "left out: no time was left"
    assert contest.said == ["imaml_ref, graphs: left out: no time was left"]


def test_tf32_counts_if_its_twin_is_right(contest):
    twin, row = contest.rows["kernels"], contest.rows["graphs"]
    row.digits, twin.digits = [2.0, 3.0], [6.0]
    assert contest.fault_of_tf32(row, "kernels") is None
    twin.void = "other meta-gradients"
    assert contest.fault_of_tf32(row, "kernels") == "as imaml_ref, kernels"
    twin.void, row.digits = None, [0.1, 0.0]
    assert contest.fault_of_tf32(row, "kernels") == "other meta-gradients"
    assert "nothing is known" in contest.fault_of_tf32(row, "plain")


def test_ratios_are_of_the_fastest_that_count_and_never_of_tf32(load):
    table = load("gpu_parts.table")
    found = rows(
        load,
        plain=9.0,
        graphs=2.0,
        plain_tf32=1.0,
        jax_conv=8.0,
        jax_patches=6.0,
        jax_patches_tf32=3.0,
        torch_vmap=10.0,
        released=400.0,
        sgemm=table.of_sgemm("cpu") / 100,
    )
    found["torch_compile"] = load("gpu_parts.contest").Row(
        "torch_compile", seconds=[1.0], void="other"
    )
    ratios = table.summary(found, 40.0, "cpu")
    assert list(ratios.values()) == pytest.approx([200, 3, 5, 0.2])
    assert list(ratios)[1] == "time, JAX, vmap, patches / imaml_ref, graphs"
    lines = table.table(found, 40.0, "cpu", "float32").splitlines()
    assert "void: other" in lines[-1]
    assert lines[3].split()[-3:-1] == ["40%", "–"]  # TF32: a rate, but no ratio


def test_after_the_first_workload_the_fastest_of_each_group_go_on(load):
    found = rows(load, graphs=1.0, jax_conv=3.0, jax_patches=2.0, torch_vmap=5.0)
    names = [*found, "torch_compile", "sgemm"]
    stay = load("gpu_parts.race").fastest(names, found)
    assert stay == ["graphs", "jax_patches", "torch_vmap", "sgemm"]
