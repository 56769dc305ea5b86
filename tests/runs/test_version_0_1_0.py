"""Files and runs that version 0.1.0 wrote open today, and mean what they meant."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.cli import main
from imaml_ref.training import read_checkpoint

WRITTEN = Path(__file__).parent / "version_0_1_0"


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    """Stand in a copy of what 0.1.0 wrote."""
    shutil.copytree(WRITTEN, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def test_a_data_file_has_its_pictures_and_splits():
    data = ir.data.open_dataset("data.h5")
    sizes = {
        split: len(data.classes("random", split)) for split in ("train", "val", "test")
    }
    assert sizes == {"train": 10, "val": 2, "test": 3}
    assert data.images.shape == (15, 5, 8, 8, 1)


def test_a_run_has_the_accuracy_that_it_had():
    """The loss in its summary was measured by 0.1.0 on the same twenty tasks."""
    run, summary = ir.load_run("run"), json.loads(Path("run/summary.json").read_text())
    assert summary["versions"]["imaml_ref"] == "0.1.0"
    assert main(["evaluate", "run", "--tasks", "20", "--json", "now.json"]) == 0
    now = json.loads(Path("now.json").read_text())
    assert now["test_loss"] == pytest.approx(summary["test_loss"], rel=1e-9)
    assert now["test_accuracy"] == summary["test_accuracy"]
    assert run.config.meta_lr_half_life == 0  # no key of its time


def test_a_run_goes_on_as_it_would_have():
    """Not as its preset would train today; to 1e-9, for ε of Adam is 1e-3."""
    assert main(["train", "--resume", "--out", "run", "--meta-steps", "6"]) == 0
    theta = read_checkpoint("run/checkpoint.h5").state.theta
    expected = np.loadtxt("theta_after_6_steps.txt")
    np.testing.assert_allclose(theta, expected, rtol=0, atol=1e-9)
