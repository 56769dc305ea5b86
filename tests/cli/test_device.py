"""``--device cuda``: on the double of a device, and refused where there is no card."""

import csv
import json
import sys
import types

import h5py
import numpy as np
import pytest
from PIL import Image

import imaml_ref as ir
from imaml_ref.cli import main
from imaml_ref.kernels import stage
from imaml_ref.runs.recorder import Recorder
from imaml_ref.training.checkpoint import read_checkpoint
from imaml_ref.verify import everything
from imaml_ref.verify.layers import layer_rows
from imaml_ref.verify.solvers import solver_rows
from tests.helpers.tiny_runs import TINY, as_flags, snapshot, train
from tests.machines.double import device_double

STEPS = ["--meta-steps", "5", "--validation-interval", "2"]


pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def of_cpu(data, tmp_path_factory):
    """A finished run on the CPU."""
    out = tmp_path_factory.mktemp("runs") / "cpu"
    assert train(data, out, "--device", "cpu", *STEPS) == 0
    return out


@pytest.fixture
def device():
    with ir.plain_path(), device_double() as device:
        yield device


def rows_of(run):
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(float(row.pop("seconds")) > 0 for row in rows)
    return rows


def summary_of(run):
    summary = json.loads((run / "summary.json").read_text())
    for name in ("seconds", "device", "device_stage"):
        del summary[name]
    return summary


def assert_same_run(got, want):
    assert rows_of(got) == rows_of(want)
    assert summary_of(got) == summary_of(want)
    states = [read_checkpoint(run / "checkpoint.h5").state for run in (got, want)]
    np.testing.assert_array_equal(*(state.theta for state in states))
    np.testing.assert_array_equal(*(state.optimizer["s"] for state in states))


def test_a_run_on_a_device_is_that_of_the_cpu(data, of_cpu, tmp_path, device):
    out = tmp_path / "run"
    flags = ["--device", "cuda", "--log-interval", "3"]
    assert train(data, out, *flags, *STEPS) == 0
    assert_same_run(out, of_cpu)
    assert json.loads((out / "summary.json").read_text())["device"] == "cuda"


def test_a_longer_interval_asks_the_device_less(data, tmp_path, device):
    counts = []
    for interval in ("1", "5"):
        before = device.waits
        flags = ["--device", "cuda", "--log-interval", interval]
        more = ["--meta-steps", "5", "--checkpoint-seconds", "1000"]
        assert train(data, tmp_path / interval, *flags, *more) == 0
        counts.append(device.waits - before)
    assert counts[0] - counts[1] == 4


def test_auto_is_the_device_if_there_is_one(data, tmp_path, device):
    assert train(data, tmp_path / "run", "--meta-steps", "1") == 0
    assert 'device = "cuda"' in (tmp_path / "run" / "config.toml").read_text()


def test_a_run_goes_on_with_another_log_interval(data, of_cpu, tmp_path, device):
    out = tmp_path / "run"
    short = ["--meta-steps", "3", "--validation-interval", "2"]
    assert train(data, out, "--device", "cuda", *short) == 0
    more = ["--resume", "--log-interval", "1", *STEPS]
    assert train(data, out, "--device", "cuda", *more) == 0
    assert_same_run(out, of_cpu)


def test_a_run_is_evaluated_where_one_says(of_cpu, tmp_path, device, capsys):
    tables = []
    for name in ("cpu", "cuda"):
        flags = ["--tasks", "70", "--device", name]
        assert main(["evaluate", str(of_cpu), *flags]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert device.waits == 2  # chunks of 64 tasks


def test_predictions_are_made_where_one_says(of_cpu, tmp_path, device, capsys):
    images = np.random.default_rng(0).integers(0, 90, (3, 2, 8, 8), np.uint8)
    for way in range(3):
        (tmp_path / "known" / str(way)).mkdir(parents=True)
        Image.fromarray(images[way, 0]).save(tmp_path / "known" / str(way) / "0.png")
    (tmp_path / "new").mkdir()
    Image.fromarray(images[1, 1]).save(tmp_path / "new" / "1.png")
    tables = []
    for flags in ([], ["--device", "cuda"]):
        folders = [str(tmp_path / "known"), str(tmp_path / "new")]
        assert main(["predict", str(of_cpu), *folders, *flags]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert device.waits


def test_the_checks_of_layers_and_solvers_pass(device, capsys, monkeypatch):
    monkeypatch.setattr(everything, "PARTS", (layer_rows, solver_rows))
    assert main(["verify", "--quick", "--device", "cuda"]) == 0
    assert device.waits


def test_the_suite_judges_a_device(device, capsys):
    flags = ["--device", "cuda", "--dtype", "float32", "--cases", "ridge,spd-10"]
    assert main(["conformance", "self", *flags]) == 0
    assert device.waits
    assert "cuda" in capsys.readouterr().out


def test_a_device_that_is_full_is_told_in_a_line(data, tmp_path, device, capsys):
    out = tmp_path / "run"
    flags = ["--device", "cuda", "--log-interval", "1"]
    assert train(data, out, "--meta-steps", "2", *flags) == 0
    device.limit = device.live + 20_000
    resumed = ["--meta-steps", "9", "--resume", *flags]
    capsys.readouterr()
    assert train(data, out, *resumed) == 2
    (said,) = capsys.readouterr().err.splitlines()[-1:]
    assert "not enough memory: out of memory allocating" in said
    assert "the checkpoint has meta-step 2, --resume goes on from it" in said
    device.limit = None
    assert train(data, out, *resumed) == 0


def test_a_device_that_fills_up_leaves_the_last_state_seen(
    data, tmp_path, device, capsys, monkeypatch
):
    observed = Recorder.__call__

    def observe(self, state, row):
        device.limit = device.live if state.step == 3 else None
        return observed(self, state, row)

    monkeypatch.setattr(Recorder, "__call__", observe)
    rare = ["--checkpoint-seconds", "1000", "--log-interval", "1"]
    flags = [*STEPS, *rare, "--device", "cuda"]
    assert train(data, tmp_path / "run", *flags) == 2
    assert "the checkpoint has meta-step 3" in capsys.readouterr().err
    assert read_checkpoint(tmp_path / "run" / "checkpoint.h5").state.step == 3
    device.limit = None
    flags = ["--device", "cuda", "--meta-steps", "1", *rare, "--log-interval", "1"]
    device.limit = device.live + 16_000
    assert train(data, tmp_path / "new", *flags) == 2
    assert "there is no checkpoint yet" in capsys.readouterr().err


# Without a card


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch):
    """Run a command that must be refused in one line; nothing may be written."""
    monkeypatch.chdir(tmp_path)

    def call(*args):
        before = snapshot(tmp_path)
        capsys.readouterr()
        assert main([str(a) for a in args]) == 2
        out, err = capsys.readouterr()
        assert snapshot(tmp_path) == before
        assert len(err.splitlines()) == 1, err
        assert "Traceback" not in out + err
        return err

    return call


def no_driver():
    """What is imported as CuPy on a machine without a driver."""
    cupy = types.ModuleType("cupy")
    cupy.ndarray = type("ndarray", (), {})
    cupy.cuda = types.SimpleNamespace(is_available=lambda: False)
    return cupy


def commands(data, run):
    return {
        "train": ["train", "--data", data, *as_flags(TINY)],
        "evaluate": ["evaluate", run, "--json", "numbers.json"],
        "predict": ["predict", run, "known", "new"],
        "verify": ["verify", "--quick", "--json", "rows.json"],
        "conformance": ["conformance", "self", "--json", "verdicts.json"],
    }


ABSENT = {
    "no CuPy": (lambda: None, "cuda", "no GPU back end: CuPy is not installed"),
    "no driver": (no_driver, "cuda", "CuPy finds no CUDA device; check the driver"),
    "no such device": (no_driver, "tpu", "device must be"),
}


@pytest.mark.parametrize("command", commands(None, None))
@pytest.mark.parametrize(("cupy", "name", "said"), ABSENT.values(), ids=ABSENT.keys())
def test_an_absent_device_is_refused(
    cupy, name, said, command, data, of_cpu, refused, monkeypatch
):
    monkeypatch.setitem(sys.modules, "cupy", cupy())
    assert said in refused(*commands(data, of_cpu)[command], "--device", name)


def test_a_run_of_a_device_is_evaluated_without_it(data, tmp_path, refused, capsys):
    run = tmp_path / "run"
    with ir.plain_path(), device_double():
        assert train(data, run, "--meta-steps", "1", "--device", "cuda") == 0
    assert "or compute on device cpu" in refused("evaluate", run, "--tasks", "2")
    assert main(["evaluate", str(run), "--tasks", "2", "--device", "cpu"]) == 0


@pytest.mark.parametrize("with_checkpoint", [True, False])
def test_a_run_of_a_device_does_not_go_on_without_it(
    with_checkpoint, data, tmp_path, refused
):
    run = tmp_path / "run"
    with ir.plain_path(), device_double():
        assert train(data, run, "--meta-steps", "1", "--device", "cuda") == 0
    if not with_checkpoint:
        (run / "checkpoint.h5").unlink()
    said = refused("train", "--resume", "--out", run, "--meta-steps", "2")
    assert "began on a GPU and goes on there: " in said
    assert "device cpu" not in said


def test_a_run_goes_on_at_the_stage_at_which_it_began(data, tmp_path, refused, device):
    run = tmp_path / "run"
    assert train(data, run, "--meta-steps", "1", "--device", "cuda") == 0
    assert json.loads((run / "summary.json").read_text())["device_stage"] == "plain"
    with h5py.File(run / "checkpoint.h5", "a") as file:
        assert file.attrs["device_stage"] == "plain"
        file.attrs["device_stage"] = "fused"
    said = refused("train", "--resume", "--out", run, "--meta-steps", "2")
    assert "at the stage fused of the path on a GPU, not at plain; " in said
    assert "set IMAML_REF_DEVICE_STAGE=fused, without IMAML_REF_PLAIN" in said


@pytest.mark.parametrize("command", commands(None, None))
def test_a_stage_that_there_is_not_is_refused(
    command, data, of_cpu, refused, device, monkeypatch
):
    token = stage._stage.set("nonsense")
    try:
        said = refused(*commands(data, of_cpu)[command], "--device", "cuda")
    finally:
        stage._stage.reset(token)
    assert "a device stage is one of plain, kernels, graphs, " in said


def test_auto_is_the_cpu_where_there_is_nothing_else(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", no_driver())
    monkeypatch.setattr(everything, "PARTS", (layer_rows,))
    assert main(["verify", "--quick", "--device", "auto"]) == 0
    flags = ["--device", "auto", "--cases", "ridge"]
    assert main(["conformance", "self", *flags]) == 0
    assert "float64, cpu" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_processes_do_not_share_a_device(command, data, of_cpu, refused, device):
    flags = ["--device", "cuda", "--processes", "2"]
    said = refused(*commands(data, of_cpu)[command], *flags)
    assert "2 processes cannot share a GPU; leave processes at 1" in said
