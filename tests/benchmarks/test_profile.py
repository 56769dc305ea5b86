"""The profile of a meta-step, at its smallest: its parts add up, and are all there."""

import json
from contextlib import redirect_stdout
from io import StringIO

import pytest

import imaml_ref as ir
from benchmarks.shared import workloads
from benchmarks.step_profile import clock as clocks
from benchmarks.step_profile import paths
from benchmarks.step_profile import run as script
from imaml_ref.fused.program import Program
from imaml_ref.layers import Conv2d

KINDS = ("products", "patches", "batch norm", "element-wise", "vectors of length P")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Return what a small run wrote."""
    out, printed = tmp_path_factory.mktemp("profile"), StringIO()
    try:
        with redirect_stdout(printed):
            script.main(["--quick", "--rounds", "1", "--out", str(out)])
    finally:
        ir.set_num_threads(None)
    assert "the parts add up to" in printed.getvalue()
    assert (out / "profile.png").stat().st_size > 10_000
    return json.loads((out / "profile.json").read_text())


def test_the_command_can_be_repeated(record):
    expected = "python benchmarks/run.py step_profile --quick --rounds 1 --out PATH"
    assert record["command"] == expected


@pytest.mark.parametrize("path", ["before", "after"])
def test_the_parts_add_up_to_the_step_that_was_watched(record, path):
    found = record["paths"][path]
    parts = [s for block in found["blocks"].values() for s in block.values()]
    assert sum(parts) == pytest.approx(found["seconds_of_parts"])
    assert sum(found["kinds"].values()) == pytest.approx(found["seconds_of_parts"])
    # Nothing is counted twice, nothing is lost: what is missing is what watching costs.
    assert 0 < found["seconds_of_watching"] < 0.3 * found["seconds_watched"]


@pytest.mark.parametrize("path", ["before", "after"])
def test_every_kind_of_work_is_there(record, path):
    found = record["paths"][path]
    for kind in KINDS:
        assert found["kinds"][kind] > 0, kind
    for block in ("block 1", "block 2", "block 3", "block 4", "head"):
        assert found["blocks"][block]["products"] > 0, block


def test_the_floor_holds_the_useful_products_and_hardly_more(record):
    executed = record["floor"]["gigaflop"]
    assert record["gigaflop_useful"] <= executed < 1.1 * record["gigaflop_useful"]
    assert record["floor"]["in_sequence"] > 0
    assert record["floor"]["hot"] > 0


def test_a_clock_gives_each_moment_to_one_call(monkeypatch):
    now = [0]
    monkeypatch.setattr(clocks, "perf_counter_ns", lambda: now[0])
    clock, label = clocks.Clock(), clocks.Label
    outer, inner = label("a", "x"), label("b", "y")

    def work(amount):
        now[0] += amount

    def both():
        work(1)
        clock.call(inner, work, 10)
        clock.call(inner, work, 100)
        work(1000)

    clock.call(outer, both)
    assert clock.own == {outer: 1001, inner: 110}
    assert clock.calls == {outer: 1, inner: 2}
    assert clock.whole == 1111
    found = clock.seconds(clocks.Cost(own=5, caller=200))
    assert found == pytest.approx({outer: 1e-9 * 596, inner: 1e-9 * 100})


def test_nothing_is_watched_afterwards():
    problem = small_problem()
    plain_run, plain_do, plain_vjp = Program.run, Program.do, Conv2d.vjp
    ir.set_num_threads(1)
    try:
        for path in paths.paths(problem).values():
            path.watch(clocks.Cost(0, 0), 0)
    finally:
        ir.set_num_threads(None)
    assert (Program.run, Program.do, Conv2d.vjp) == (plain_run, plain_do, plain_vjp)


def small_problem():
    """Return a problem of one task."""
    return workloads.draw(workloads.Workload(2, 1, 1, 1, 1), threads=1)
