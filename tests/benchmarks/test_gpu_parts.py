"""Parts of benchmarks/gpu: budgets, who takes part, verdicts, ratios."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from benchmarks.gpu import budget, figure, holdings, kernel_times, memory, race, table
from benchmarks.gpu.contest import Contest, Row
from benchmarks.gpu.registry import twin_of
from benchmarks.shared.drawing import GREY


def rows(**medians):
    """Return rows of contenders by name, each with one time in seconds."""
    return {name: Row(name, seconds=[s]) for name, s in medians.items()}


def test_a_budget_gives_out_what_there_is(monkeypatch):
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
def contest(monkeypatch, tmp_path):
    """Return a contest of two contenders whose turns take ten seconds each."""
    clock, said = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(budget.time, "monotonic", lambda: clock.now)
    args = SimpleNamespace(rounds=5, turn=0.1, dtype="float32")
    one = Contest(args, tmp_path, said.append)
    one.clock, one.said = clock, said
    for name in ("kernels", "graphs"):
        one.rows[name], one.children[name] = Row(name), Worker(clock, 10)
    yield one
    monkeypatch.undo()


def test_rounds_that_there_is_no_time_for_are_dropped_and_said(contest):
    contest.take_turns(budget.Budget(75))
    assert contest.rows["kernels"].seconds == [2.0, 2.0, 2.0]
    assert contest.said == ["3 of 5 rounds: no time for more"]


def test_a_contender_that_there_is_no_time_for_is_left_out_and_said(contest):
    row = contest.rows["graphs"]
    contest.prepare(row, budget.Budget(1))
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


def test_ratios_are_of_the_fastest_that_count_and_never_of_tf32():
    found = rows(
        plain=9.0,
        graphs=2.0,
        **{"graphs-tf32": 1.0},
        jax_conv=8.0,
        jax_patches=6.0,
        jax_patches_tf32=3.0,
        torch_vmap=10.0,
        released=400.0,
        sgemm=table.of_sgemm("cpu") / 100,
    )
    found["torch_compile"] = Row("torch_compile", seconds=[1.0], void="other")
    ratios = table.summary(found, 40.0, "cpu")
    assert list(ratios.values()) == pytest.approx([200, 3, 5, 0.2])
    assert list(ratios)[1] == "time, JAX, vmap, patches / imaml_ref, graphs"
    lines = table.table(found, 40.0, "cpu", "float32").splitlines()
    assert "void: other" in lines[-1]
    assert lines[3].split()[-3:-1] == ["40%", "–"]  # TF32: a rate, but no ratio


def test_after_the_first_workload_the_fastest_of_each_group_go_on():
    found = rows(graphs=1.0, jax_conv=3.0, jax_patches=2.0, torch_vmap=5.0)
    names = [*found, "torch_compile", "sgemm"]
    stay = race.fastest(names, found)
    assert stay == ["graphs", "jax_patches", "torch_vmap", "sgemm"]


class Hooks:
    """Stands for CuPy: a pool that calls its hook."""

    def __init__(self):
        outer = self

        class MemoryHook:
            def __enter__(self):
                outer.hook = self

            def __exit__(self, *_):
                outer.hook = None

        self.cuda = SimpleNamespace(MemoryHook=MemoryHook)

    def malloc(self, size, name, fresh):
        if fresh:
            self.hook.alloc_postprocess(device_id=0, mem_size=size, mem_ptr=1)
        more = {"size": size - 1, "mem_ptr": 1, "device_id": 0}
        self.hook.malloc_postprocess(mem_size=size, pmem_id=name, **more)

    def free(self, size, name):
        more = {"mem_ptr": 1, "device_id": 0, "mem_size": size}
        self.hook.free_postprocess(pmem_id=name, **more)


def test_the_peak_is_the_most_that_pools_hand_out_at_a_time():
    cupy = Hooks()
    place = SimpleNamespace(on_card=True, xp=cupy)
    with memory.counted(place) as count:
        cupy.free(4096, 1)  # from before
        cupy.malloc(512, 2, fresh=True)
        cupy.malloc(1024, 3, fresh=True)
        cupy.free(512, 2)
        cupy.malloc(256, 4, fresh=False)
        cupy.free(256, 4)
    assert (count.peak, count.taken, count.now) == (1536, 1536, 1024)


def test_ratios_of_memory_are_those_to_one_gradient():
    found = {"gradient": {"peak_bytes": 10}, "16 inner steps": {"peak_bytes": 25}}
    found["1000 inner steps"] = {"reason": "left out"}
    ratios = holdings.ratios(found)
    assert ratios == {"16 inner steps / one gradient": 2.5}


def test_operations_and_bytes_of_a_launch_are_those_counted_by_hand():
    sizes = {"tasks": 2, "m": 3, "n": 4, "k": 5, "k2": 6}
    arrays = {name: np.zeros(10) for name in "ABDEC"}
    rest = {a.name: 0 for a in kernel_times.KERNELS["bmm_pair"].arguments}
    pair = kernel_times.Written("bmm_pair", rest | arrays | sizes, None)
    assert kernel_times.gigaflop(pair) == pytest.approx(2e-9 * 2 * 3 * 4 * 11)
    assert kernel_times.gigabytes(pair) == pytest.approx(5 * 80e-9)
    kinds = {"conv_bn_relu": 1, "conv_bn_relu_jvp": 2, "conv_vjp": 1, "conv_vjp_dot": 2}
    for name, products in kinds.items():
        ints = {a.name: 2 for a in kernel_times.KERNELS[name].arguments}
        work = kernel_times.gigaflop(kernel_times.Written(name, ints, None))
        assert work == pytest.approx(2e-9 * 2**8 * products)
    assert twin_of("graphs-tf32") == "graphs"
    one = kernel_times.Written("add_row", {"a": np.zeros(10), "row": np.zeros(2)}, None)
    assert kernel_times.gigabytes(one) == pytest.approx((2 * 80 + 16) * 1e-9)


def test_the_figure_shows_what_counts_and_what_does_not():
    known = {"void": None, "seconds": [1.0]}
    entry = {
        "contenders": {
            "graphs": known | {"label": "ours", "seconds_median": 0.002},
            "released": known | {"label": "theirs", "seconds_median": 0.4},
            "jax_conv": {"void": "other", "seconds": [1.0], "seconds_median": 0.01}
            | {"label": "another"},
            "torch_vmap": {"void": None, "seconds": [], "label": "none"},
            "sgemm": known | {"label": "sgemm", "seconds_median": 0.02},
        }
    }
    drawn = figure.figure([(figure.contest, "W1", entry)], "T")
    axes = drawn.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["theirs", "another", "ours"]
    words = [text.get_text() for text in axes.texts]
    assert words == [" 400.00", " 10.00 (void)", " 2.00"]
    colours = {bar.get_facecolor() for bar in axes.patches}
    assert len(colours) == 3  # theirs, void, ours
    assert to_rgba(GREY) == axes.patches[1].get_facecolor()
