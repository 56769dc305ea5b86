"""``imaml-ref evaluate``: on tasks of its own choice, and what is said of them."""

import json

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.cli import main
from imaml_ref.runs import load_run
from imaml_ref.training.evaluation import evaluate
from tests.helpers.tiny_runs import make_images, train

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A finished run of four meta-steps."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(data, out, "--meta-steps", "4", "--validation-interval", "2") == 0
    return out


def theta_of(run):
    with h5py.File(run / "checkpoint.h5") as file:
        return file["theta"][()]


def test_evaluate_prints_and_writes_what_evaluate_returns(run, tmp_path, capsys):
    path = tmp_path / "found.json"
    flags = ["--tasks", "7", "--split", "val", "--inner-steps", "3", "--seed", "2"]
    assert main(["evaluate", str(run), *flags, "--json", str(path)]) == 0
    loaded = load_run(run, inner_steps=3)
    found = evaluate(
        loaded.algorithm, loaded.theta, loaded.source, split="val", num_tasks=7, seed=2
    )
    written = json.loads(path.read_text())
    assert found.as_dict("val").items() <= written.items()
    percent = f"{100 * found.accuracy:.2f} % ± {100 * found.accuracy_ci95:.2f} %"
    assert percent in capsys.readouterr().out


def test_evaluate_tests_on_other_tasks(run, tmp_path, capsys):
    path = tmp_path / "found.json"
    flags = ["--ways", "2", "--shots", "2", "--queries", "3", "--tasks", "7"]
    assert main(["evaluate", str(run), *flags, "--json", str(path)]) == 0
    said, written = capsys.readouterr().out, json.loads(path.read_text())
    assert "2-way 2-shot, 3 queries a class; transductive" in said
    assert written["protocol"] in said
    assert [written[n] for n in ("ways", "shots", "queries")] == [2, 2, 3]
    # the same by hand: the network still has three outputs, tasks are drawn anew
    loaded, source = (
        load_run(run),
        ir.data.Episodes(make_images(), 2, 2, 3, invert=True),
    )
    tasks = source.sample("test", seed=0, step=0, num_tasks=7)
    phi = loaded.algorithm.adapt(loaded.theta, tasks.support_x, tasks.support_y)
    logits = loaded.net.logits(phi, tasks.query_x)
    assert logits.shape == (7, 6, 3)
    right = (logits.argmax(-1) == tasks.query_y).mean()
    assert written["test_accuracy"] == pytest.approx(right)


def test_a_run_says_how_it_was_tested(run):
    summary = json.loads((run / "summary.json").read_text())
    assert summary["protocol"].startswith("3-way 1-shot, 2 queries a class; transduct")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ways": 4}, "ways must be at most 3, the outputs of the trained network"),
        ({"lam": 2.0}, "lam belongs to the θ of a run and stays 0.5, got 2.0"),
        ({"num_filters": 5}, "num-filters belongs to the θ of a run"),
        ({"norm": "task"}, "norm belongs to the θ of a run and stays batch"),
        ({"dtype": "float64"}, "dtype belongs to the θ of a run"),
        ({"inner_step": 5}, "did you mean 'inner-steps'"),
        ({"shots": 0}, "shots must be at least 1"),
        ({"proximal": True}, "proximal True has no effect with algorithm imaml"),
    ],
)
def test_what_belongs_to_theta_stays(run, changes, expected):
    with pytest.raises(ValueError, match=expected):
        load_run(run, **changes)


def test_evaluate_finds_data_that_moved(run, data, tmp_path):
    moved = tmp_path / "moved.h5"
    moved.write_bytes(data.read_bytes())
    assert main(["evaluate", str(run), "--tasks", "2", "--data", str(moved)]) == 0


def test_load_run_needs_no_data(run, data, tmp_path):
    loaded = load_run(run, data=str(tmp_path / "gone.h5"))
    phi = loaded.algorithm.adapt(
        loaded.theta, np.ones((1, 3, 8, 8, 1), np.float32), np.array([[0, 1, 2]])
    )
    assert phi.shape == (1, loaded.net.layout.size)
    assert_allclose(loaded.theta, theta_of(run))
    with pytest.raises(FileNotFoundError, match=r"gone\.h5"):
        _ = loaded.source
