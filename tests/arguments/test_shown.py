"""What a print shows: what there is, on one screen, and no address."""

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.arguments.shown import brief
from imaml_ref.config import make_config
from imaml_ref.data import glyph_alphabets
from imaml_ref.runs import load_run, prepare, train_run
from imaml_ref.runs.folder import RunFolder
from imaml_ref.training.evaluation import Evaluation, evaluate
from tests.helpers.problems import curved

pytestmark = pytest.mark.usefixtures("without_figures")
SCREEN = 24 * 80  # characters


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One of each thing that holds many numbers."""
    problem = curved()
    episodes = ir.data.Episodes(glyph_alphabets(num_alphabets=20), 5, 1, 5)
    found = ir.implicit_gradient(
        problem.loss, problem.theta, [problem.tasks] * 30, keep=("phi", "task_grads")
    )
    folder = RunFolder(tmp_path_factory.mktemp("shown") / "run")
    keys = {"data": "sinusoid", "meta-steps": 1, "test-tasks": 40, "num-filters": 30}
    prepared = prepare(make_config(keys), folder)
    train_run(prepared)
    run = load_run(folder.path)
    return [
        episodes,
        episodes.data,
        episodes.sample("train", seed=0, step=0, num_tasks=4),
        found,
        found.diagnostics,
        ir.cg_batched(lambda v: v, np.ones((200, 3)))[1],
        evaluate(run.algorithm, run.theta, run.source, num_tasks=90),
        ir.IMAML(problem.loss, lam=np.ones_like(problem.theta)),
        prepared,
        run,
        run.checkpoint,
        run.checkpoint.state,
    ]


def test_an_evaluation_shows_means_with_their_intervals(shown):
    """Also where it is of many tasks, whose own numbers would not fit."""
    found = next(value for value in shown if isinstance(value, Evaluation))
    want = f"test_loss={found.loss:.4g} ± {found.loss_ci95:.2g}"
    assert repr(found) == f"Evaluation(num_tasks=90, {want})"
    both = Evaluation("val", np.ones(4), np.array([0.5, 0.6, 0.7, 0.6]))
    assert "val_loss=1 ± 0, val_accuracy=0.6 ± 0.13)" in repr(both)


def test_everything_fits_a_screen_and_says_its_kind(shown):
    for value in shown:
        text = repr(value)
        assert text.startswith(type(value).__name__ + "(")
        assert len(text) < SCREEN, text
        assert "\n" not in text


def test_an_array_is_its_dtype_and_shape_and_a_few_entries_are_themselves(shown):
    episodes, images, tasks, *_ = shown
    assert "images=<uint8 (200, 20, 28, 28, 1)>, class_names=<tuple of 200>" in repr(
        images
    )
    assert "num_ways=5, num_shots=1, num_queries=5" in repr(episodes)
    assert "support_x=<float32 (4, 5, 28, 28, 1)>" in repr(tasks)
    assert brief(np.arange(3)) == "array([0, 1, 2])"
    assert brief(np.zeros((2, 4), np.float32)) == "<float32 (2, 4)>"
    assert brief({"a": np.zeros(9)}) == "{'a': <float64 (9,)>}"
    assert brief(list(range(7))) == "<list of 7>"
    assert brief("x" * 200) == "'" + "x" * 79 + "…"
    assert brief({n: n for n in range(9)}).endswith("5: 5, …}")
