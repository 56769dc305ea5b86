"""Figures need no backend, and cost no numbers: whatever goes wrong with them."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import data_tools
import imaml_ref
from imaml_ref.cli import main
from imaml_ref.data import TaskBatch
from imaml_ref.runs import drawing, figures, report
from imaml_ref.runs.metrics import COLUMNS
from tests.helpers.tiny_runs import TINY, as_flags

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n"
BACKENDS = {
    "a notebook's, absent here": "module://matplotlib_inline.backend_inline",
    "a name that nobody knows": "nonsense",
    "one that needs a screen": "tkagg",
    "none": "",
}


def flags_for(data, out):
    keys = TINY | {"data": data, "out": out, "meta-steps": 1}
    return as_flags(keys | {"validation-interval": 1})


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run, and whether its numbers were there before each figure."""
    out, seen = tmp_path_factory.mktemp("runs") / "run", []
    real = figures.save

    def look(figure, path):
        seen.append((out / "summary.json").exists())
        real(figure, path)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(figures, "save", look)
        assert main(["train", *flags_for(data, out)]) == 0
    return out, seen


def drawn(out):
    return [name for name in figures.FIGURES if (out / name).exists()]


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS.keys())
def test_a_run_is_whole_whatever_backend_the_environment_names(data, tmp_path, backend):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "imaml_ref", "train", *flags_for(data, out)]
    environment = os.environ | {"MPLBACKEND": backend, "DISPLAY": ""}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    assert "not drawn" not in done.stdout + done.stderr
    assert json.loads((out / "summary.json").read_text())["test_tasks"] == 5
    for name in figures.FIGURES:
        assert (out / name).read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("backend", "expected"),
    [("svg", "svg"), ("nonsense", "None"), ("module://no", "None"), (None, "None")],
)
def test_a_backend_that_is_there_stays_the_one_for_pyplot(backend, expected):
    code = (
        "import os, sys, imaml_ref.runs.drawing as d\n"
        "assert 'matplotlib' not in sys.modules\n"
        "before = os.environ.get('MPLBACKEND')\n"
        "rc = d.imported('matplotlib').rcParams\n"
        "d.panels(1, 1, 'x', (1, 1))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert os.environ.get('MPLBACKEND') == before\n"
        "print(rc._get_backend_or_none())\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    environment |= {} if backend is None else {"MPLBACKEND": backend}
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() in (expected, backend)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_matplotlib_is_imported_in_one_place():
    packages = (Path(module.__file__).parent for module in (imaml_ref, data_tools))
    folders = [*packages, ROOT / "benchmarks", ROOT / "examples"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(files) > 200
    for path in files:
        found = [name for name in imports_of(path) if name.startswith("matplotlib")]
        assert not found, f"{path}: take drawing.imported for {found}"
        assert "pyplot" not in path.read_text(), path


# A figure that cannot be drawn


@pytest.fixture
def broken(monkeypatch):
    """Have nothing be drawn, and mend it when called."""

    def fail(*_, **__):
        raise OSError(28, "No space left\non device")

    with monkeypatch.context() as patched:
        patched.setattr(figures, "save", fail)
        yield patched.undo


def test_figures_that_fail_cost_no_numbers_and_are_made_up_for(
    data, run, tmp_path, capsys, broken
):
    out = tmp_path / "run"
    assert main(["train", *flags_for(data, out)]) == 0
    said = capsys.readouterr().out
    for name in figures.FIGURES:
        (line,) = [t for t in said.splitlines() if f"{name} was not drawn" in t]
        assert "the numbers are complete" in line
        assert "No space left on device" in line
    assert "test accuracy, transductive" in said
    summary = (out / "summary.json").read_bytes()
    assert drawn(out) == []
    broken()
    assert main(["train", "--resume", "--out", str(out)]) == 0
    assert drawn(out) == list(figures.FIGURES)
    assert (out / "summary.json").read_bytes() == summary
    for name in figures.FIGURES:
        assert_array_equal(read_pixels(out / name), read_pixels(run[0] / name))


def test_numbers_are_written_before_figures(run):
    _, seen = run
    assert seen == [True] * 3


def test_figures_of_a_longer_run_are_drawn_anew(run, tmp_path):
    out = shutil.copytree(run[0], tmp_path / "run")
    before = read_pixels(out / "diagnostics.png")
    more = ["--resume", "--out", str(out), "--meta-steps", "3"]
    assert main(["train", *more]) == 0
    assert not np.array_equal(read_pixels(out / "diagnostics.png"), before)


def read_pixels(path):
    from PIL import Image

    return np.asarray(Image.open(path))


# What is to be seen on them

LONG = "released iMAML: ((1 + 1.0) I + H/(λ + 10.0)) g = v by 5 CG steps and so on"


def episode(ways):
    labels = np.repeat(np.arange(ways), 2)[None]
    x = np.random.default_rng(2).uniform(size=(1, 2 * ways, 5, 5, 1))
    tasks = TaskBatch(x[:, ::2], labels[:, ::2], x, labels)
    return report.image_episode(tasks, np.eye(ways)[labels[0]], LONG)


@pytest.mark.parametrize("ways", [2, 3, 5, 20])
def test_titles_lie_within_the_figure(ways):
    check_title(episode(ways))


def metrics_of(steps, **changes):
    found = {name: np.full(steps, 0.5) for name in COLUMNS}
    return found | {"step": np.arange(1.0, steps + 1)} | changes


def test_titles_of_curves_lie_within_the_figure():
    for accuracy in (0.5, np.nan):
        metrics = metrics_of(9, query_accuracy=np.full(9, accuracy))
        check_title(report.learning_curves(metrics, LONG))
    check_title(report.diagnostics(metrics, LONG))


def check_title(figure):
    agg = drawing.imported("matplotlib.backends.backend_agg")
    agg.FigureCanvasAgg(figure).draw()
    box = figure._suptitle.get_window_extent()
    width, height = figure.bbox.size
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    assert " ".join(figure.get_suptitle().split()) == LONG


def test_a_share_of_zero_is_a_line_above_the_axis():
    metrics = metrics_of(9, negative_curvature=np.zeros(9))
    share = report.diagnostics(metrics, "x").axes[3]
    bottom, top = share.get_ylim()
    assert bottom < 0 < top
    assert -bottom >= top / 50


def test_a_single_step_is_a_dot():
    figure = report.diagnostics(metrics_of(1), "x")
    for axes in figure.axes:
        assert axes.lines[1].get_marker() == "o"
