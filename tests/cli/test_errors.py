"""Wrong input: exit status 2, one clear line, and nothing written or lost."""

import os
import sys

import h5py
import numpy as np
import pytest
from PIL import Image

from imaml_ref.cli import main
from imaml_ref.data import write_dataset
from tests.helpers.tiny_runs import TINY, as_flags, make_images, snapshot, train

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A finished run of one meta-step."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(data, out, "--meta-steps", "1", "--validation-interval", "0") == 0
    return out


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch):
    """Run a command that must be refused; return what it says.

    Nothing may be written, changed or lost in tmp_path, where the command runs.
    """
    monkeypatch.chdir(tmp_path)

    def call(*args, status=2):
        before = snapshot(tmp_path)
        capsys.readouterr()
        assert main([str(a) for a in args]) == status
        out, err = capsys.readouterr()
        assert snapshot(tmp_path) == before
        assert len(err.splitlines()) == 1, err
        assert "Traceback" not in out + err
        return err

    return call


def spoiled(data, path, spoil):
    """Return a copy of a data file with something wrong."""
    path.write_bytes(data.read_bytes())
    with h5py.File(path, "a") as file:
        spoil(file)
    return path


def share_a_class(file):
    file["splits/only/test"][0] = file["splits/only/train"][0]


def change_a_pixel(file):
    file["images"][3, 1, 2, 5, 0] ^= 1


def make_nan(file):
    images = file["images"][()].astype(np.float32)
    images[2, 1, 0, 3, 0] = np.nan
    del file["images"]
    file["images"] = images


SPOILED = {
    "split": (share_a_class, "share 1 classes"),
    "digest": (change_a_pixel, "was changed after packing"),
    "nan": (make_nan, "float32"),
    "foreign": (lambda f: f.attrs.__delitem__("schema"), "foreign file"),
    "incomplete": (lambda f: f.__delitem__("class_names"), "class_names"),
}


@pytest.mark.parametrize(("spoil", "expected"), SPOILED.values(), ids=SPOILED.keys())
def test_data_that_do_not_hold(data, tmp_path, refused, spoil, expected):
    path = spoiled(data, tmp_path / "bad.h5", spoil)
    said = refused("train", "--data", path, *as_flags(TINY))
    assert expected in said
    assert "bad.h5" in said
    assert expected in refused("data", "info", path)


def test_a_missing_or_truncated_data_file(data, tmp_path, refused):
    said = refused("train", "--data", "none.h5", *as_flags(TINY))
    assert "no such file: none.h5" in said
    (tmp_path / "cut.h5").write_bytes(data.read_bytes()[:5000])
    said = refused("train", "--data", "cut.h5", *as_flags(TINY))
    assert "cut.h5 is not a readable HDF5 file: truncated" in said


IMPOSSIBLE = {
    "--ways 6": "6 ways need as many classes, split only/train has 5",
    "--shots 5": "5 shots + 2 queries need 7 drawings of a class, each class has 6",
    "--lam 0": "lam must be above 0, got 0.0",
    "--lam -2": "lam must be above 0, got -2.0",
    "--lam nan": "lam must be a finite number",
    "--lam two": "--lam",
    "--algorithm mamal": "algorithm must be one of imaml, maml",
    "--meta-lr 0": "meta-lr must be above 0",
    "--seed 18446744073709551616": "seed must be at most 18446744073709551615, got",
    "--algorithm fomaml --proximal --lam-lr 0.1": "lam-lr 0.1 has no λ to learn in fom",
    "--lam 1e-40": "lam and its reciprocal must be neither 0 nor infinite in float32",
    "--split-scheme mine": "unknown split scheme 'mine'; there is only",
    "--preset best": "preset must be one of",
    "--lamb 2": "No such option",
    "--resume": "--resume needs --out",
    "--config none.toml": "no such configuration file: none.toml",
    "--algorithm maml --inner adam": "maml unrolls gradient descent only",
    "--net conv4": "conv4",
}


@pytest.mark.parametrize(("flags", "expected"), IMPOSSIBLE.items())
def test_flags_that_cannot_be(data, refused, flags, expected):
    said = refused("train", "--data", data, *as_flags(TINY), *flags.split())
    assert expected in said


def test_an_unknown_key_is_answered_with_the_nearest(tmp_path, refused):
    (tmp_path / "mine.toml").write_text("meta-bach = 4\n")
    said = refused("train", "--config", "mine.toml")
    assert "'meta-bach' in mine.toml; did you mean 'meta-batch'?" in said


@pytest.mark.parametrize("flag", ["out", "resume", "config"])
def test_a_flag_is_no_key(tmp_path, refused, flag):
    (tmp_path / "mine.toml").write_text(f'{flag} = "x"\n')
    said = refused("train", "--config", "mine.toml")
    assert f"'{flag}' in mine.toml is a flag of imaml-ref train" in said
    assert f"give --{flag} on the command line" in said


def test_a_gpu_that_is_absent(data, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    flags = ["--data", data, *as_flags(TINY), "--device", "cuda"]
    assert "no GPU back end: CuPy is not installed" in refused("train", *flags)
    assert "no GPU back end" in refused("verify", "--device", "cuda")


def test_an_output_folder_that_is_not_free(data, run, tmp_path, refused):
    keep = tmp_path / "thesis"
    keep.mkdir()
    (keep / "chapter.tex").write_text("all of it")
    (tmp_path / "file").write_text("")
    flags = ["train", "--data", data, *as_flags(TINY), "--out"]
    assert "thesis is not empty and not a run" in refused(*flags, keep)
    assert "is not empty and not a run" in refused(*flags, keep, "--resume")
    assert "file is not a folder" in refused(*flags, "file")
    assert "file is not a folder" in refused(*flags, "file/run")
    before = snapshot(run)
    assert "holds a run already; add --resume" in refused(*flags, run)
    assert snapshot(run) == before


def test_data_that_lie_elsewhere_are_to_be_named(run, tmp_path, refused):
    text = (copied(run, tmp_path) / "config.toml").read_text()
    (data,) = (t.split(" = ")[1] for t in text.splitlines() if t.startswith("data = "))
    relative = text.replace(data.split("  ")[0].strip(), '"a.h5"')
    (tmp_path / "copy" / "config.toml").write_text(relative)
    said = refused("evaluate", "copy")
    assert "no such file: a.h5, the data of copy" in said
    assert "say where they lie with --data FILE.h5" in said


# Resuming what does not belong together


def copied(run, tmp_path):
    """Return a copy of a run."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in run.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def test_flags_that_disagree_with_the_run(run, tmp_path, refused):
    copy = copied(run, tmp_path)
    resume = ["train", "--resume", "--out", copy]
    assert "lam = 0.5, not 2.0" in refused(*resume, "--lam", 2)
    assert "preset = reliable, not paper" in refused(*resume, "--preset", "paper")
    said = refused(*resume, "--meta-steps", 0)
    assert "has made 1 meta-steps already, more than the 0" in said


def test_a_checkpoint_of_another_configuration(run, tmp_path, refused):
    copy = copied(run, tmp_path)
    text = (copy / "config.toml").read_text()
    (copy / "config.toml").write_text(text.replace("lam = 0.5", "lam = 0.7"))
    said = refused("train", "--resume", "--out", copy)
    assert "belongs to another configuration: lam = 0.5, not 0.7" in said
    (copy / "config.toml").write_text(text.replace("ways = 3", "ways = 4"))
    assert "belongs to another configuration" in refused("evaluate", copy)


def test_other_data_than_the_run_was_trained_on(run, tmp_path, refused):
    copy, other = copied(run, tmp_path), tmp_path / "other.h5"
    write_dataset(other, make_images(seed=1))
    digest = make_images(seed=1).digest[:12]
    said = refused("train", "--resume", "--out", copy, "--data", other)
    assert f"other.h5 has {digest}…; give the same data" in said
    assert "give the same data" in refused("evaluate", copy, "--data", other)


def test_other_splits_than_the_run_was_trained_on(data, run, tmp_path, refused):
    def swap(file):
        val, test = file["splits/only/val"][()], file["splits/only/test"][()]
        file["splits/only/val"][:], file["splits/only/test"][:] = test, val

    copy, other = copied(run, tmp_path), spoiled(data, tmp_path / "other.h5", swap)
    said = refused("train", "--resume", "--out", copy, "--data", other)
    assert "the splits of" in said
    assert "other.h5 have changed" in said


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_a_damaged_checkpoint(run, tmp_path, refused, size):
    copy = copied(run, tmp_path)
    os.truncate(copy / "checkpoint.h5", size)
    for command in (["train", "--resume", "--out", copy], ["evaluate", copy]):
        said = refused(*command)
        assert "checkpoint.h5 is not a readable HDF5 file" in said


def test_a_damaged_config(run, tmp_path, refused):
    copy = copied(run, tmp_path)
    (copy / "config.toml").write_text("lam = ")
    assert "not valid TOML" in refused("train", "--resume", "--out", copy)
    assert "not valid TOML" in refused("evaluate", copy)


def test_evaluating_what_is_no_run(run, tmp_path, refused):
    assert "no run in" in refused("evaluate", tmp_path)
    (tmp_path / "config.toml").write_bytes((run / "config.toml").read_bytes())
    assert "no checkpoint in" in refused("evaluate", tmp_path)
    assert "split must be one of" in refused("evaluate", run, "--split", "tset")
    assert "--tasks" in refused("evaluate", run, "--tasks", 1)
    assert "ways must be at most 3" in refused("evaluate", run, "--ways", 4)
    said = refused("evaluate", run, "--shots", 5)
    assert "5 shots + 2 queries need 7 drawings" in said


def test_a_folder_where_a_data_file_is_expected(run, tmp_path, refused):
    (tmp_path / "shapes" / "round").mkdir(parents=True)
    commands = (
        ["train", "--data", "shapes", *as_flags(TINY)],
        ["data", "info", "shapes"],
        ["evaluate", run, "--data", "shapes"],
    )
    for command in commands:
        said = refused(*command)
        assert "shapes is a folder" in said
        assert "`imaml-ref data pack-images shapes FILE.h5`" in said


def test_predicting_from_what_are_no_images(run, tmp_path, refused):
    support, query = tmp_path / "support", tmp_path / "query"
    assert "no such folder" in refused("predict", run, support, query)
    query.mkdir()
    for name in "ab":
        (support / name).mkdir(parents=True)
        Image.new("L", (9, 9), 255).save(support / name / "1.png")
    said = refused("predict", run, support, query)
    assert "no images in" in said
    Image.new("L", (9, 9)).save(query / "q.png")
    said = refused("predict", run, support, query)
    assert "tells 3 classes apart, got support images of 2" in said
    assert "has 3 outputs and needs as many support folders" in said
    said = refused("predict", run, support, query / "q.png")
    assert "q.png is a file, expected a folder of images" in said
    (query / "r.png").write_text("no image")
    assert "r.png cannot be read as an image" in refused("predict", run, support, query)


def test_packing_what_is_not_there(refused):
    said = refused("data", "pack-omniglot", "none", "o.h5")
    assert "images_background" in said
    assert "no such folder" in refused("data", "pack-images", "none", "o.h5")
    said = refused("data", "pack-published", "cub", "none", "o.h5")
    assert "no copy of cub in none; expected {}.json" in said
    said = refused("data", "pack-published", "cab", "none", "o.h5")
    assert "no data set is called 'cab'; there are mini-imagenet, tiered" in said
    said = refused("data", "show")
    assert (
        "'show'. (commands: pack-omniglot, pack-published, pack-images, info)" in said
    )
