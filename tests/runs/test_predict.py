"""One's own images in folders, classified by a trained run."""

import re

import numpy as np
import pytest
from PIL import Image

import imaml_ref as ir
from imaml_ref.cli import main
from imaml_ref.runs import load_run
from imaml_ref.runs.predict import predict
from tests.helpers.tiny_runs import train

pytestmark = pytest.mark.usefixtures("without_figures")

WAYS = ("ant", "bee", "cat")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run trained on dark ink; its inputs are inverted (the reliable preset)."""
    out = tmp_path_factory.mktemp("runs") / "run"
    flags = ["--meta-steps", "1", "--inner-steps", "20", "--validation-interval", "0"]
    assert train(data, out, *flags) == 0
    return out


def drawings(seed):
    """Return per class four images (8, 8, 1), uint8: dark blocks on white paper."""
    rng = np.random.default_rng(seed)
    images = np.full((3, 4, 8, 8, 1), 255, np.uint8)
    for way, (row, column) in enumerate([(0, 0), (0, 5), (5, 2)]):
        block = rng.integers(0, 90, size=(4, 3, 3, 1))
        images[way, :, row : row + 3, column : column + 3] = block
    return images


def save_all(folder, images):
    support, query = folder / "support", folder / "query"
    query.mkdir()
    for name, of_class in zip(WAYS, images, strict=True):
        (support / name).mkdir(parents=True)
        for i, image in enumerate(of_class):
            place = support / name / f"{i}.png" if i < 2 else query / f"{name}{i}.png"
            Image.fromarray(image[..., 0]).save(place)
    return support, query


def table_rows(text):
    found = re.findall(r"(\w+)\.png\W+(\w+)\W+([\d.]+) %", text)
    return {name: (way, float(percent)) for name, way, percent in found}


def test_predict_prints_file_class_and_probability(run, tmp_path, capsys):
    images = drawings(0)
    assert main(["predict", str(run), *map(str, save_all(tmp_path, images))]) == 0
    rows = table_rows(capsys.readouterr().out)
    loaded = load_run(run)
    query = images[:, 2:].reshape(-1, 8, 8, 1)
    chances = predict(loaded, list(images[:, :2]), query).chances
    assert list(rows) == ["ant2", "ant3", "bee2", "bee3", "cat2", "cat3"]
    for (name, (way, percent)), expected in zip(rows.items(), chances, strict=True):
        assert name.startswith(way)
        assert way == WAYS[expected.argmax()]
        assert percent == pytest.approx(100 * expected.max(), abs=0.051)


def test_predictions_are_those_of_the_adapted_network(run):
    loaded, images = load_run(run), drawings(1)
    support = [images[0, :3], images[1, :1], images[2, :2]]  # unequally many
    query = images[:, 3]
    found = predict(loaded, support, query)
    x = (1 - np.concatenate(support) / 255).astype(np.float32)[None]
    labels = np.array([[0, 0, 0, 1, 2, 2]])
    phi = loaded.algorithm.adapt(loaded.theta, x, labels)
    logits = loaded.net.logits(phi, (1 - query / 255).astype(np.float32)[None])[0]
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(found.chances, expected, rtol=1e-4)
    assert not found.inverted


def test_light_ink_on_dark_paper_is_noticed(run, tmp_path, capsys):
    loaded, images = load_run(run), drawings(2)
    dark, light = (
        predict(loaded, list(x[:, :2]), x[:, 3]) for x in (images, 255 - images)
    )
    assert (dark.inverted, light.inverted) == (False, True)
    np.testing.assert_array_equal(light.chances, dark.chances)
    folders = save_all(tmp_path, 255 - images)
    assert main(["predict", str(run), *map(str, folders)]) == 0
    assert "light on dark; they were inverted" in capsys.readouterr().out


def test_alone_normalises_each_query_image_by_itself(run):
    loaded, images = load_run(run), drawings(3)
    support, query = list(images[:, :1]), images[:, 3]
    alone = predict(loaded, support, query, alone=True).chances
    for n in range(3):
        one = predict(loaded, support, query[[n]]).chances
        np.testing.assert_allclose(alone[[n]], one, rtol=1e-6)


@pytest.fixture(scope="module")
def blind(data, tmp_path_factory):
    """A run whose network sees nothing of an image that is alone."""
    out = tmp_path_factory.mktemp("blind") / "run"
    flags = ["--net", "omniglot-cnn", "--num-filters", "2", "--meta-steps", "1"]
    with pytest.warns(UserWarning, match="no accuracy per example: norm4"):
        assert train(data, out, *flags) == 0
    return out


def test_an_image_alone_is_refused_where_the_network_sees_nothing_of_it(
    blind, tmp_path, capsys
):
    images = drawings(0)
    support, query = save_all(tmp_path, images)
    command = ["predict", str(blind), str(support), str(query)]
    assert main(command) == 0
    capsys.readouterr()
    message = r"cannot classify an image alone: norm4 normalises over one value"
    assert main([*command, "--alone"]) == 2
    assert re.search(message, " ".join(capsys.readouterr().err.split()))
    with pytest.raises(ValueError, match=message):
        predict(load_run(blind), list(images[:, :2]), images[0, 3:])


@pytest.mark.parametrize("norm", ["support", "task"])
def test_an_image_alone_is_normalised_with_the_support_set(
    data, tmp_path, norm, capsys
):
    """Where batch normalisation sees nothing; alone or not, to rounding of float32."""
    out, images = tmp_path / "run", drawings(4)
    flags = ["--net", "omniglot-cnn", "--num-filters", "2", "--meta-steps", "1"]
    assert train(data, out, *flags, "--norm", norm) == 0
    assert "accuracy, per example" in capsys.readouterr().out
    loaded, support, query = load_run(out), list(images[:, :2]), images[:, 3]
    assert type(loaded.net.layers["norm1"]) is ir.architectures.NORMS[norm]
    together, alone = (predict(loaded, support, query, alone=a) for a in (False, True))
    np.testing.assert_allclose(together.chances, alone.chances, rtol=1e-4)
    one = predict(loaded, support, query[:1]).chances
    np.testing.assert_allclose(one, alone.chances[:1], rtol=1e-4)
    others = predict(loaded, list(images[:, 1:3]), query).chances
    assert abs(others - together.chances).max() > 1e-3


def test_an_evaluation_without_an_accuracy_per_example_prints_the_others(blind, capsys):
    with pytest.warns(UserWarning, match="no accuracy per example: norm4"):
        assert main(["evaluate", str(blind), "--tasks", "3"]) == 0
    out = capsys.readouterr().out
    assert "accuracy, transductive" in out
    assert "accuracy, per example" not in out
    assert "nan" not in out


def test_queries_in_folders_are_found_and_hidden_files_passed_over(
    run, tmp_path, capsys
):
    support, query = save_all(tmp_path, drawings(0))
    assert main(["predict", str(run), str(support), str(query)]) == 0
    flat = table_rows(capsys.readouterr().out)
    for name in WAYS:
        (query / name).mkdir()
        for path in query.glob(f"{name}*.png"):
            path.rename(query / name / path.name)
    for junk in ("._a.png", "ant/._b.png", ".cache/c.png"):
        (query / junk).parent.mkdir(exist_ok=True)
        (query / junk).write_text("no image")
    assert main(["predict", str(run), str(support), str(query)]) == 0
    shown = capsys.readouterr().out
    assert table_rows(shown) == flat
    assert "ant/ant2.png" in shown
