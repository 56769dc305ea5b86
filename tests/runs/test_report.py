"""The figures show the numbers that they are given."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.data import TaskBatch
from imaml_ref.layers import SupportNorm2d
from imaml_ref.runs import drawing, report
from imaml_ref.runs.episode import episode_figure
from imaml_ref.runs.metrics import COLUMNS

STEPS = 40
PNG = b"\x89PNG\r\n\x1a\n"


def make_metrics(**changes):
    rng = np.random.default_rng(0)
    metrics = {name: rng.uniform(0.1, 1, STEPS) for name in COLUMNS}
    metrics["step"] = np.arange(1.0, STEPS + 1)
    metrics["validation_score"] = np.where(metrics["step"] % 10 == 0, 0.5, np.nan)
    return metrics | changes


def lines_of(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_learning_curves_show_losses_and_accuracies_with_units():
    metrics = make_metrics()
    figure = report.learning_curves(metrics, "iMAML by CG")
    losses, accuracies = figure.axes
    assert figure.get_suptitle() == "iMAML by CG"
    assert (losses.get_ylabel(), accuracies.get_ylabel()) == ("loss", "accuracy / %")
    assert losses.get_xlabel() == accuracies.get_xlabel() == "meta-steps"
    raw = losses.lines[0].get_xydata()
    assert_allclose(raw, np.column_stack([metrics["step"], metrics["support_loss"]]))
    expected = [[step, 50] for step in (10, 20, 30, 40)]
    assert_allclose(lines_of(accuracies)["validation"], expected)


def test_a_regression_has_one_panel_with_validation_losses():
    nan = np.full(STEPS, np.nan)
    scores = make_metrics()["validation_score"]
    metrics = make_metrics(query_accuracy=nan, validation_score=-scores)
    (axes,) = report.learning_curves(metrics, "x").axes
    assert_allclose(lines_of(axes)["validation"][:, 1], 0.5)


def test_diagnostics_show_residuals_cosine_ritz_value_and_definiteness():
    metrics = make_metrics()
    axes = report.diagnostics(metrics, "x").axes
    names = ("r1", "cos_gv", "smallest_ritz", "negative_curvature")
    for ax, name, factor in zip(axes, names, (1, 1, 1, 100), strict=True):
        assert_allclose(ax.lines[0].get_ydata(), factor * metrics[name])


def test_nothing_stands_over_a_legend(tmp_path):
    close = 0.999084 + 1e-7 * np.arange(STEPS)
    figure = report.diagnostics(
        make_metrics(cos_gv=close, smallest_ritz=1e-7 * close), "x"
    )
    drawing.save(figure, tmp_path / "figure.png")
    for axes in figure.axes:
        assert not axes.yaxis.get_offset_text().get_text()


def test_what_was_not_measured_is_said():
    nan = np.full(STEPS, np.nan)
    figure = report.diagnostics(make_metrics(smallest_ritz=nan), "x")
    assert [t.get_text() for t in figure.axes[2].texts] == ["not measured"]


def test_a_run_without_steps_can_be_drawn(tmp_path):
    empty = {name: np.array([]) for name in COLUMNS}
    for draw in (report.learning_curves, report.diagnostics):
        drawing.save(draw(empty, "x"), tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("width", [1, 3, 50])
def test_the_running_mean_is_the_mean_of_the_last_values(width):
    values = np.random.default_rng(1).normal(size=11)
    expected = [values[max(0, i + 1 - width) : i + 1].mean() for i in range(11)]
    assert_allclose(report.running_mean(values, width), expected)


def make_images(channels=1):
    rng = np.random.default_rng(2)
    labels = np.array([[0, 0, 1, 1, 2, 2]])
    x = rng.uniform(size=(1, 6, 5, 7, channels))
    return TaskBatch(x[:, ::2], labels[:, ::2], x, labels)


CHANCES = np.eye(3)[[0, 1, 1, 1, 2, 0]] * 0.7 + 0.1


def test_an_episode_shows_every_class_and_what_was_said():
    tasks = make_images()
    figure = report.image_episode(tasks, CHANCES, "x", inverted=True)
    axes = np.reshape(figure.axes, (3, 3))
    titles = [[ax.get_title() for ax in row] for row in axes]
    assert titles[0] == ["class 0", "class 1", "class 2"]
    assert titles[1] == ["✓ said 0: 80 %", "✓ said 1: 80 %", "✓ said 2: 80 %"]
    assert titles[2][0] == "✗ is 0, said 1: 80 %"
    shown = axes[2, 1].images[0].get_array()
    assert_allclose(shown, tasks.query_x[0, 3, :, :, 0])


@pytest.mark.parametrize("channels", [1, 3])
def test_figures_are_written_whole(tmp_path, channels):
    path = tmp_path / "episode.png"
    figure = report.image_episode(make_images(channels), CHANCES, "λ ≤ 0, Σ")
    drawing.save(figure, path)
    assert path.read_bytes().startswith(PNG)
    assert [p.name for p in tmp_path.iterdir()] == ["episode.png"]


def test_an_episode_is_told_by_queries_in_their_context(monkeypatch):
    source = ir.data.Episodes(ir.data.glyph_alphabets(), 3, 2, 2)
    net = ir.architectures.omniglot_cnn(3, num_filters=2, norm=SupportNorm2d)
    algorithm = ir.IMAML(ir.TaskLoss(net, ir.SoftmaxCrossEntropy()), 0.5)
    theta = net.init(np.random.default_rng(0))
    config = SimpleNamespace(seed=5, invert=False)
    run = SimpleNamespace(source=source, config=config, model=SimpleNamespace(net=net))
    shown = []
    monkeypatch.setattr(report, "image_episode", lambda _, p, *a, **k: shown.append(p))
    episode_figure(run, algorithm, theta)
    options = {"seed": 5, "step": 0, "num_tasks": 1, "dtype": theta.dtype}
    tasks = source.sample("test", **options)
    phi = algorithm.adapt(theta, tasks.support_x, tasks.support_y)
    z = net.logits(phi, tasks.query_x, tasks.support_x)[0]
    assert_allclose(shown[0], np.exp(z) / np.exp(z).sum(1, keepdims=True), rtol=1e-9)


def test_a_regression_episode_shows_points_and_both_curves():
    x, y = np.random.default_rng(3).normal(size=(2, 1, 4, 1))
    tasks = TaskBatch(x, y, x + 1, y - 1)
    grid = np.linspace(-2, 2, 9)
    (axes,) = report.regression_episode(tasks, grid, grid**2, grid**3, "x").axes
    lines = lines_of(axes)
    assert_allclose(lines["after adapting, φ"], np.column_stack([grid, grid**3]))
    assert_allclose(lines["query"], np.column_stack([x[0] + 1, y[0] - 1]))


def make_records():
    return [
        {
            "protocol": name,
            "queries": n,
            "accuracy": at,
            "accuracy_ci95": 0.03,
            "accuracy_bootstrap95": (at - 0.04, at + 0.01),
            **classes,
        }
        for name, n, at, classes in (
            ("transductive", 1, 0.9, {"accuracy_by_class": {"a": 0.7, "b": 1, "c": 0}}),
            ("per example", 5, 0.5, {}),
        )
    ]


def test_protocols_are_drawn_with_both_intervals_and_their_classes_in_order():
    means, classes = report.protocols(make_records(), "x").axes
    ends = [c.get_segments()[0][:, 0] for c in means.collections]
    expected = [[87, 93], [86, 91], [47, 53], [46, 51]]
    assert_allclose(ends, expected)
    names = [label.get_text() for label in means.get_yticklabels()]
    assert names == ["transductive,\n1 a class", "per example,\n5 a class"]
    assert_allclose(classes.lines[0].get_ydata(), [0, 70, 100])


def test_a_figure_is_svg_where_its_name_says_so(tmp_path):
    figure = report.protocols(make_records(), "x")
    drawing.save(figure, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    with pytest.raises(ValueError, match="a regression has none"):
        report.protocols([], "x")
