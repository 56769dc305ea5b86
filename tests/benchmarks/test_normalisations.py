"""The benchmark of normalisations, at its smallest."""

import json

import numpy as np
import pytest

import imaml_ref as ir
from benchmarks.normalisations import run, table, training
from imaml_ref.data import write_dataset
from imaml_ref.training import read_checkpoint
from tests.helpers.tiny_runs import make_images

SMALL = training.Settings(filters=8, meta_steps=5, meta_batch=2, test_tasks=3)
FLAGS = ["--seeds", "0", "1", "--filters", "8", "--meta-steps", "2"]
FLAGS += ["--meta-batch", "2", "--test-tasks", "3"]


@pytest.fixture(scope="module")
def images():
    """Five classes of a split, six drawings: just enough, and 28 × 28 pixels."""
    return make_images(size=28)


@pytest.fixture(scope="module")
def made(images, tmp_path_factory):
    """Return where two normalisations were trained, and their results."""
    folder = tmp_path_factory.mktemp("normalisations")
    write_dataset(folder / "images.h5", images)
    work = ["--work", str(folder / "work")]
    try:
        run.main([str(folder / "images.h5"), *work, *FLAGS])
        table.main([*work, "--out", str(folder)])
    finally:
        ir.set_num_threads(None)
    return folder


def test_every_normalisation_and_seed_is_a_folder(made):
    folders = {p.name for p in (made / "work").iterdir()}
    assert folders == {f"{norm}-{s}" for norm in training.known_norms() for s in (0, 1)}
    for folder in (made / "work").iterdir():
        assert {p.name for p in folder.iterdir()} == {"checkpoint.h5", "result.json"}


def test_every_cell_of_the_table_is_the_mean_of_its_seeds(made):
    record = json.loads((made / "normalisations.json").read_text())
    assert list(record["results"]) == list(training.known_norms())
    assert "--work PATH" in record["command"]
    lines = (made / "normalisations.md").read_text().splitlines()
    for norm, of in record["results"].items():
        (line,) = [text for text in lines if text.startswith(f"| {norm} |")]
        cells = [text.strip() for text in line.split("|")[2:]]
        for nth, wanted in enumerate([("transductive", 1), ("transductive", 5)]):
            each = [
                100 * r["accuracy"]
                for one in of
                for r in one["protocols"]
                if (r["protocol"], r["queries"]) == wanted
            ]
            assert len(each) == 2
            assert cells[nth].startswith(f"**{np.mean(each):.1f}**")
            assert all(f"{value:.1f}" in cells[nth] for value in each)
        assert all(one["processor_seconds"] > 0 for one in of)
    for suffix in ("png", "svg"):
        assert (made / f"normalisations.{suffix}").stat().st_size > 10_000


def test_without_normalisation_nothing_depends_on_who_is_in_the_batch(made):
    for one in table.load(made / "work")["none"]:
        _, together, alone = one["protocols"]
        assert together["accuracy"] == alone["accuracy"]
        assert together["confusion_by_way"] == alone["confusion_by_way"]


def test_what_is_finished_stays(made, capsys):
    before = {p: p.stat().st_mtime_ns for p in (made / "work").rglob("*")}
    run.main([str(made / "images.h5"), "--work", str(made / "work"), *FLAGS])
    ir.set_num_threads(None)
    assert {p: p.stat().st_mtime_ns for p in (made / "work").rglob("*")} == before
    assert "batch-1: " in capsys.readouterr().err


class Killed(Exception):
    """What ends a training in its middle."""


def test_a_training_that_was_ended_goes_on_to_the_same_bits(images, tmp_path):
    def told(line):
        if " 3 meta-steps" in line:
            raise Killed

    def start(where):
        return training.ready(tmp_path / where, "batch", 4, SMALL, images)

    whole = training.trained(start("whole"))
    with pytest.raises(Killed):
        training.trained(start("ended"), told, seconds=0)
    kept = read_checkpoint(start("ended").checkpoint)
    assert kept.state.step == 3
    assert kept.about["processor_seconds"] > 0
    resumed = training.trained(start("ended"))
    assert resumed["processor_seconds"] > kept.about["processor_seconds"]
    for end in (whole, resumed):
        assert end["state"].step == 5
    np.testing.assert_array_equal(whole["state"].theta, resumed["state"].theta)


def test_a_training_of_other_settings_is_not_gone_on_with(images, tmp_path):
    one = training.ready(tmp_path, "batch", 0, SMALL, images)
    training.trained(one)
    other = training.Settings(filters=8, meta_steps=6, meta_batch=2, test_tasks=3)
    with pytest.raises(ValueError, match=r"made with \{'meta_steps': 5\}, not with"):
        training.trained(training.ready(tmp_path, "batch", 0, other, images))


def test_seeds_differ(images, tmp_path):
    first, second = (
        training.trained(training.ready(tmp_path, "none", seed, SMALL, images))
        for seed in (0, 1)
    )
    assert (first["state"].theta != second["state"].theta).any()


def test_a_training_that_diverges_says_so_in_the_table(images, tmp_path):
    wild = training.Settings(8, meta_steps=20, meta_batch=2, meta_lr=1e30, test_tasks=3)
    one = training.ready(tmp_path, "none", 0, wild, images)
    with np.errstate(all="ignore"):
        found = training.tested(one, training.trained(one))
    assert found["protocols"] == []
    assert "meta-step" in found["ended"]
    assert run.in_words(found) == found["ended"]
    shown = table.table({"none": [found]})
    assert found["ended"] in shown
    assert "| – | – | – |" in shown
    table.figure({"none": [found]}, "x")


def test_a_table_is_of_trainings_of_one_kind():
    results = {"a": [{"about": {"x": 1, "seed": 0}}], "b": [{"about": {"x": 2}}]}
    with pytest.raises(ValueError, match="of one kind"):
        table.about(results)
    with pytest.raises(ValueError, match="of one kind"):
        table.about({})
