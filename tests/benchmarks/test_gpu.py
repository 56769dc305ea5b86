"""benchmarks/gpu: a rehearsal without a card, budgets, what is kept and drawn."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.gpu import results, train
from benchmarks.gpu import run as gpu
from benchmarks.shared import record, workloads

FOLDER = Path(__file__).parents[2] / "benchmarks"
TINY = "--rehearse", "--workloads", "W1", "--rounds", "2", "--turn", "0.01"


@pytest.fixture
def bench():
    """Return the script, which takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    yield gpu
    signal.signal(signal.SIGTERM, before)


def run(*words):
    """Run the script; return its exit status, what it printed and what it said."""
    command = [sys.executable, str(FOLDER / "run.py"), "gpu", *map(str, words)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout, found.stderr


def results_of(folder):
    text = (folder / "gpu-rehearsal.json").read_text()
    assert str(folder) not in text
    return json.loads(text)


def test_a_rehearsal_of_the_stages_times_compares_and_counts(tmp_path):
    words = "--part", "stages", *TINY, "--contenders", "plain", "graphs"
    status, printed, said = run(*words, "--out", tmp_path)
    assert status == 0, said
    assert "REHEARSAL" in printed
    found = results_of(tmp_path)
    assert found["about"].startswith("REHEARSAL")
    assert found["runs"][0]["rehearsal"]
    contenders = found["stages"]["W1"]["contenders"]
    for name in ("plain", "graphs"):
        assert contenders[name]["void"] is None, contenders[name]
        assert len(contenders[name]["seconds"]) == 2
        assert min(contenders[name]["digits"]) > 4
    assert contenders["sgemm"]["share_of_sgemm_rate"] == 1
    assert set(found["kernels"]) == {"W1, graphs", "W1, fused"}
    names = set()
    for entry in found["kernels"].values():
        calls = {row["name"]: row["calls"] for row in entry["kernels"]}
        assert (calls["descend"], calls["cg_length"]) == (2, 2)  # inner, CG steps
        assert all(row["seconds"] > 0 for row in entry["launches"])
        products = [row for row in entry["launches"] if row["gflop_per_second"]]
        assert all(len(row["seconds_each_other_ways"]) == 2 for row in products)
        names |= {row["name"] for row in products}
    assert {"bmm", "bmm_pair", "conv_bn_relu", "conv_vjp_dot"} <= names
    few, many = (
        found["memory"]["graphs"][f"{k} inner steps"]["peak_bytes"] for k in (2, 4)
    )
    assert_allclose(few, many, rtol=0.02)
    assert (tmp_path / "gpu-rehearsal.png").stat().st_size > 10_000


def test_a_rehearsal_beside_pytorch_has_its_meta_gradients(tmp_path):
    pytest.importorskip("torch")
    words = "--part", "peers", *TINY, "--contenders", "graphs", "torch_vmap"
    status, printed, said = run(*words, "--out", tmp_path)
    assert status == 0, said
    (workload,) = results_of(tmp_path)["peers"].values()
    assert workload["contenders"]["torch_vmap"]["void"] is None
    assert "time, PyTorch, vmap, eager / imaml_ref, graphs" in workload["summary"]
    assert "PyTorch, vmap, eager" in printed


def test_a_rehearsal_of_the_training_trains_and_tests(tmp_path):
    status, printed, said = run("--part", "train", "--rehearse", "--out", tmp_path)
    assert status == 0, said
    found = results_of(tmp_path)["train"]["paper, glyphs"]
    assert found["reason"] is None
    assert found["meta_steps"] == 3
    assert found["seconds_per_meta_step"] > 0
    assert not found["ended_by_time"]
    assert found["test"]["test_tasks"] == 4
    assert 0 <= found["test"]["test_accuracy"] <= 1
    assert [row["step"] for row in found["validation"]] == [2]
    assert (tmp_path / "gpu-rehearsal.png").stat().st_size > 10_000
    assert "test accuracy" in printed


def test_without_a_card_nothing_is_measured(bench, tmp_path, capsys):
    if has_card():
        pytest.skip("there is a card")
    with pytest.raises(SystemExit) as ending:
        bench.main(["--part", "stages", "--out", str(tmp_path / "out")])
    printed, said = capsys.readouterr()
    assert (ending.value.code, printed) == (2, "")
    assert len(said.splitlines()) == 1
    assert "--rehearse" in said
    assert not (tmp_path / "out").exists()


WRONG = {
    "no time": (["--part", "stages", "--minutes", "0"], "--minutes must be above 0"),
    "a preset": (["--part", "train", "--preset", "no"], "must be one of paper"),
    "data": (["--part", "train", "--data", "no.h5"], "there is no no.h5"),
    "a checkout": (["--part", "peers", "--released", "no"], "there is no no"),
    "of another part": (["--part", "stages", "--stage", "fused"], "for --part train"),
    "among results": (
        ["--part", "train", "--out", str(FOLDER / "results" / "mine")],
        "does not belong among results",
    ),
    "no folder": (["--part", "train", "--out", __file__], "File exists"),
}


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_is_refused_in_a_line(words, message, bench, capsys):
    with pytest.raises(SystemExit) as ending:
        bench.main([*words, "--rehearse"])
    printed, said = capsys.readouterr()
    assert (ending.value.code, printed, len(said.splitlines())) == (2, "", 1)
    assert message in said
    assert not (FOLDER / "results" / "mine").exists()


def test_a_training_that_fails_is_no_success(bench, tmp_path, capsys):
    data = tmp_path / "broken.h5"
    data.write_bytes(b"nothing")
    words = ["--part", "train", "--data", str(data), "--rehearse"]
    with pytest.raises(SystemExit) as ending:
        bench.main([*words, "--out", str(tmp_path)])
    assert ending.value.code == 1
    assert "exit status 2; imaml-ref: " in capsys.readouterr().out


def has_card():
    from imaml_ref.compute.backend import to_device

    try:
        to_device(np.zeros(1))
    except RuntimeError:
        return False
    return True


def test_a_rehearsal_never_lies_among_results(bench, tmp_path, capsys):
    with pytest.raises(SystemExit) as ending:
        bench.main(["--part", "stages", "--rehearse", "--out", str(record.RESULTS)])
    assert ending.value.code == 2
    assert "does not belong" in capsys.readouterr().err


def test_files_of_rehearsals_and_of_measurements_do_not_mix(tmp_path):
    results.Results(tmp_path, {"rehearsal": True}).add("stages", "W1", {})
    path = tmp_path / "gpu-rehearsal.json"
    path.rename(tmp_path / "gpu.json")
    with pytest.raises(results.Mixed):
        results.Results(tmp_path, {"rehearsal": False})


def test_a_new_measurement_takes_the_place_of_its_own_kind_alone(tmp_path):
    Results = results.Results
    first = Results(tmp_path, {"rehearsal": True, "date": "first"})
    first.add("stages", "W1", {"x": 1})
    first.add("stages", "W2", {"x": 2})
    second = Results(tmp_path, {"rehearsal": True, "date": "second"})
    second.add("stages", "W2", {"x": 3})
    second.add("peers", "W1", {"x": 4})
    found = results_of(tmp_path)
    assert [r["date"] for r in found["runs"]] == ["first", "second"]
    assert found["stages"]["W1"] == {"run": 0, "x": 1}
    assert found["stages"]["W2"] == {"run": 1, "x": 3}
    assert found["peers"]["W1"] == {"run": 1, "x": 4}


def test_paths_are_not_in_the_command():
    words = ["--part", "train", "--data", "/somewhere/o.h5", "--out", "/else"]
    found = record.command("gpu", words, gpu.PATHS)
    assert found.endswith("--part train --data PATH --out PATH")


def test_the_program_of_patches_has_the_loss_of_the_program_of_convolutions():
    torch = pytest.importorskip("torch")
    problem = tiny_problem()
    from benchmarks.gpu import torch_patches as patches
    from benchmarks.shared import torch_net as plain

    losses = []
    for net in (plain, patches):
        x, y, _, _ = net.data(problem)
        losses.append(net.loss(net.theirs(problem), x[1], y[1]))
    assert torch.allclose(*losses, rtol=1e-5)
    back = patches.ours(problem.ways, patches.theirs(problem))
    layout = plain.layout(problem.ways).unpack(back - problem.theta)
    off = {name for name, a in layout.items() if np.any(a)}
    assert off == {f"conv{b}.bias" for b in range(1, 5)}


def tiny_problem():
    return workloads.draw(workloads.Workload(3, 1, 2, 2, 2), threads=1)


def test_the_time_of_a_training_that_is_up_ends_it(monkeypatch):
    monkeypatch.setattr(train.sys, "executable", "sleep")
    monkeypatch.setattr(train, "COMMAND", ())
    start = time.monotonic()
    _, status, _ = train.run_for(["60"], 0.3)
    assert status == -15
    assert time.monotonic() - start < 10


def test_a_training_is_told_its_stage(monkeypatch):
    monkeypatch.setattr(train, "COMMAND", ("-c",))
    words = ["import os; print(os.environ['IMAML_REF_DEVICE_STAGE'])"]
    _, status, said = train.run_for(words, 60, "fused")
    assert (status, said) == (0, "fused")


def test_meta_steps_and_their_time_are_read_from_the_metrics(tmp_path):
    metrics = tmp_path / "metrics.csv"
    assert train.progress_of(train.rows_of(metrics)) == (0, None)
    head = "step,seconds,validation_score\n"
    metrics.write_text(head + "1,5.0,\n2,5.5,0.25\n3,6.5,nan\n")
    rows = train.rows_of(metrics)
    assert train.progress_of(rows) == (3, 0.75)
    assert train.validation_of(rows) == [{"step": 2, "seconds": 5.5, "accuracy": 0.25}]
