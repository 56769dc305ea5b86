"""The command line, through its own front door: what it writes, and how it ends."""

import csv
import json
import os
import subprocess
import sys
import tomllib

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.cli import main
from imaml_ref.config import Config
from imaml_ref.config.keys import FIELDS
from imaml_ref.runs import load_run
from imaml_ref.training.evaluation import evaluate
from tests.helpers.tiny_runs import as_flags, make_images, no_figures, snapshot, train


@pytest.fixture(autouse=True)
def _figures_of_the_first_run_only(monkeypatch):
    """The run of the module is made before."""
    no_figures(monkeypatch)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A finished run of four meta-steps."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(data, out, "--meta-steps", "4", "--validation-interval", "2") == 0
    return out


def rows_of(run):
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def test_a_run_writes_one_folder(run):
    assert sorted(p.name for p in run.iterdir()) == [
        ".lock",
        "checkpoint.h5",
        "config.toml",
        "diagnostics.png",
        "episode.png",
        "learning_curves.png",
        "metrics.csv",
        "summary.json",
    ]


def test_config_toml_is_complete(run, data):
    config = tomllib.loads((run / "config.toml").read_text())
    assert config.keys() == {name.replace("_", "-") for name in FIELDS}
    assert config["data"] == str(data)
    assert (config["net"], config["device"], config["lam"]) == ("linear", "cpu", 0.5)


def test_metrics_csv_has_a_row_per_meta_step(run):
    rows = rows_of(run)
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [bool(row["validation_score"]) for row in rows] == [False, True] * 2
    assert all(float(row["r1"]) > 0 and float(row["smallest_ritz"]) > 0 for row in rows)


def test_the_checkpoint_is_plain_hdf5(run, data):
    with h5py.File(run / "checkpoint.h5") as file:
        assert file["theta"].shape == (3 * 65,)
        assert file.attrs["step"] == 4
        assert file.attrs["data_digest"] == make_images().digest
        assert tomllib.loads(file.attrs["config"])["meta-steps"] == 4


def test_the_summary_says_what_evaluate_measures(run):
    summary = json.loads((run / "summary.json").read_text())
    loaded = load_run(run)
    found = evaluate(loaded.algorithm, loaded.theta, loaded.source, num_tasks=5, seed=0)
    assert found.as_dict("test").items() <= summary.items()
    assert (summary["test_tasks"], summary["meta_steps"]) == (5, 4)
    assert summary["curvature"] == "gauss-newton"
    assert "Gauss-Newton" in summary["estimator"]
    assert 0 < summary["seconds"] < 60
    assert summary["data_digest"] == make_images().digest
    for name in ("nearest_neighbour_accuracy", "untrained_accuracy"):
        assert 0 <= summary[name] <= 1
        assert summary[f"{name}_ci95"] >= 0


def test_the_untrained_theta_is_tested_on_the_same_tasks(run):
    summary = json.loads((run / "summary.json").read_text())
    loaded = load_run(run)
    theta = loaded.net.init(np.random.default_rng(0), dtype=np.float32)
    found = evaluate(loaded.algorithm, theta, loaded.source, num_tasks=5, seed=0)
    assert summary["untrained_accuracy"] == found.accuracy


def test_a_sinusoid_run_has_losses_and_no_accuracy(tmp_path):
    keys = {"data": "sinusoid", "num-filters": 4, "meta-steps": 2, "test-tasks": 3}
    flags = as_flags(keys | {"out": tmp_path / "run"})
    assert main(["train", *flags]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert {"test_loss", "test_loss_ci95", "untrained_loss"} <= summary.keys()
    assert not any("accuracy" in name for name in summary)


def test_a_file_and_flags_make_the_configuration(data, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('preset = "paper"\ninner-lr = 3\nmeta-lr = 0.5\n')
    out = tmp_path / "run"
    flags = ["--config", str(file), "--meta-lr", "0.25", "--meta-steps", "0"]
    assert train(data, out, *flags) == 0
    config = tomllib.loads((out / "config.toml").read_text())
    found = (config["preset"], config["inner-lr"], config["meta-lr"])
    assert found == ("paper", 3.0, 0.25)
    assert config["curvature"] == "hessian"


# Going on with a run


def theta_of(run):
    with h5py.File(run / "checkpoint.h5") as file:
        return file["theta"][()]


def without_seconds(run):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(run)]


def test_resume_needs_only_the_folder_and_accepts_more_steps(data, run, tmp_path):
    out = tmp_path / "run"
    assert train(data, out, "--meta-steps", "1", "--validation-interval", "2") == 0
    assert main(["train", "--resume", "--out", str(out), "--meta-steps", "4"]) == 0
    assert_array_equal(theta_of(out), theta_of(run))
    assert without_seconds(out) == without_seconds(run)
    assert json.loads((out / "summary.json").read_text())["meta_steps"] == 4
    assert tomllib.loads((out / "config.toml").read_text())["meta-steps"] == 4


def test_resume_of_a_finished_run_does_nothing(run, capsys):
    before = snapshot(run)
    assert main(["train", "--resume", "--out", str(run)]) == 0
    assert "is finished" in capsys.readouterr().out
    assert snapshot(run) == before


def test_resume_without_a_checkpoint_starts_at_nothing(data, run, tmp_path):
    new, bare = tmp_path / "new", tmp_path / "bare"
    flags = ["--resume", "--meta-steps", "4", "--validation-interval", "2"]
    assert train(data, new, *flags) == 0
    bare.mkdir()
    (bare / "config.toml").write_bytes((run / "config.toml").read_bytes())
    (bare / ".config.0a1b2c3d.part.toml").write_text("half a li")
    assert main(["train", "--resume", "--out", str(bare)]) == 0
    for out in (new, bare):
        assert_array_equal(theta_of(out), theta_of(run))


def test_an_unfinished_test_is_made_up_for(run, data, tmp_path):
    out = tmp_path / "run"
    assert train(data, out, "--meta-steps", "4", "--validation-interval", "2") == 0
    (out / "summary.json").unlink()
    assert main(["train", "--resume", "--out", str(out)]) == 0
    names = ("test_accuracy", "untrained_accuracy", "theta", "meta_steps")
    got, expected = (
        json.loads((folder / "summary.json").read_text()) for folder in (out, run)
    )
    assert {n: got[n] for n in names} == {n: expected[n] for n in names}


# Flags and help


def test_every_key_has_a_flag(capsys):
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out.replace("…", "")
    for name in FIELDS:
        assert f"--{name.replace('_', '-')}"[:16] in shown


LEVELS = [
    [],
    ["train"],
    ["evaluate"],
    ["predict"],
    ["verify"],
    ["data"],
    ["data", "pack-omniglot"],
    ["data", "pack-images"],
    ["data", "pack-published"],
    ["data", "info"],
]


@pytest.mark.parametrize("command", LEVELS, ids=" ".join)
def test_every_level_of_help_has_an_example(capsys, command):
    assert main([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert " ".join(["imaml-ref", *command]) in " ".join(shown.split())


@pytest.mark.parametrize("command", [[], ["data"]], ids=str)
def test_without_a_command_there_is_help(capsys, command):
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "Commands" in out
    assert not err


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"imaml-ref {ir.__version__}\n"


def test_the_module_is_the_program():
    command = [sys.executable, "-m", "imaml_ref", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"imaml-ref {ir.__version__}\n"


def test_importing_the_package_needs_no_library_of_the_program():
    code = (
        "import sys, imaml_ref\n"
        "names = 'typer rich matplotlib PIL pooch threadpoolctl cupy'.split()\n"
        "assert not set(names) & set(sys.modules), set(names) & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_data_info_describes_a_file(data, capsys):
    assert main(["data", "info", str(data)]) == 0
    shown = capsys.readouterr().out
    assert make_images().digest in shown
    assert "only: train 5, val 5, test 5 classes" in shown


def test_defaults_of_the_program_are_the_reliable_preset(data, tmp_path):
    out = tmp_path / "run"
    assert train(data, out, "--meta-steps", "0") == 0
    config = tomllib.loads((out / "config.toml").read_text())
    assert config["preset"] == "reliable"
    assert config["curvature"] != Config().curvature
    assert os.listdir(out)
