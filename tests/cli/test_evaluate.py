"""``imaml-ref evaluate``: on tasks of its own choice, and what is said of them."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.cli import main
from imaml_ref.runs import load_run
from imaml_ref.training import protocols
from imaml_ref.training.evaluation import evaluate
from tests.helpers.tiny_runs import TINY, as_flags, make_images, train

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


def test_evaluate_puts_protocols_beside_each_other(run, tmp_path, capsys):
    path, flags = tmp_path / "found.json", ["--tasks", "6", "--seed", "3"]
    assert (
        main(["evaluate", str(run), *flags, "--queries", "2,1", "--json", str(path)])
        == 0
    )
    said, written = capsys.readouterr().out, json.loads(path.read_text())
    loaded = load_run(run)
    found = {
        n: evaluate(
            loaded.algorithm,
            loaded.theta,
            replace(loaded.source, num_queries=n),
            num_tasks=6,
            seed=3,
        )
        for n in (1, 2)
    }
    records = protocols(found, loaded.source, seed=3)
    assert written["protocols"] == json.loads(json.dumps(records))
    assert len(records) == 3
    assert "3-way 1-shot, 1 and 2 queries a class; transductive" in said
    for record in records:
        at, half = 100 * record["accuracy"], 100 * record["accuracy_ci95"]
        low, high = (100 * end for end in record["accuracy_bootstrap95"])
        words = f"accuracy, {record['protocol']}, {record['queries']} a class"
        (line,) = [line for line in said.splitlines() if words in line]
        assert line.endswith(f"{at:.2f} % ± {half:.2f} %  [{low:.2f}, {high:.2f}] %")
    # what stands outside the list is of the largest number
    assert found[2].as_dict("test").items() <= written.items()
    assert written["queries"] == 2


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        ("", "--queries must be integers with commas, such as 1,5, got ''"),
        ("1,", "--queries must be integers with commas, such as 1,5, got '1,'"),
        ("2,x", "got '2,x'"),
        ("0,2", "num_queries must be an integer >= 1, got 0"),
        ("0", "queries must be at least 1"),
        ("1,6", "1 shots + 6 queries need 7 drawings"),
    ],
)
def test_queries_that_cannot_be_asked_are_refused(run, capsys, queries, expected):
    assert main(["evaluate", str(run), "--tasks", "2", "--queries", queries]) == 2
    assert expected in capsys.readouterr().err


def test_evaluate_draws_the_protocols(run, tmp_path):
    flags = ["--tasks", "4", "--queries", "1,2", "--figure", str(tmp_path / "a.b")]
    assert main(["evaluate", str(run), *flags]) == 0
    assert (tmp_path / "a.b.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "a.b.svg").read_text()
    assert text.startswith("<?xml")
    assert text.rstrip().endswith("</svg>")
    assert len([*tmp_path.iterdir()]) == 2


def test_a_regression_has_no_accuracies_to_draw(tmp_path, capsys):
    out, figure = str(tmp_path / "run"), tmp_path / "drawn"
    keys = {name: v for name, v in TINY.items() if name not in ("ways", "net")}
    keys |= {"data": "sinusoid", "out": out, "queries": 3, "meta-steps": 1}
    assert main(["train", *as_flags(keys)]) == 0
    assert main(["evaluate", out, "--tasks", "3", "--queries", "2,4"]) == 0
    said = capsys.readouterr().out
    assert "shots and 2 and 4 queries a task" in said
    assert "query loss, 4 a task" in said
    assert main(["evaluate", out, "--tasks", "3", "--figure", str(figure)]) == 2
    said, why = capsys.readouterr()
    assert "a regression has none" in why
    assert "query loss, 3 a task" in said
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_run_says_how_it_was_tested(run):
    summary = json.loads((run / "summary.json").read_text())
    assert summary["protocol"].startswith("3-way 1-shot, 2 queries a class; transduct")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ways": 4}, "ways must be at most 3, the outputs of the trained network"),
        ({"lam": 2.0}, "lam belongs to the θ of a run and stays 0.5, got 2.0"),
        ({"num_filters": 5}, "num-filters belongs to the θ of a run"),
        ({"norm": "layer"}, "norm belongs to the θ of a run and stays batch"),
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
