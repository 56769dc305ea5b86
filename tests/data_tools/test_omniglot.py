"""Packing Omniglot, from archives made here, and the progress it shows."""

import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools import omniglot, progress
from data_tools.archives import find_archive, read_archive
from data_tools.omniglot import pack_omniglot, shrink
from imaml_ref.data import open_dataset

ALPHABETS = {  # characters per alphabet, in numbers that all differ
    "images_background": {"Beta": 3, "Alpha": 2, "Gamma": 1, "Nu": 4, "Mu": 5, "Xi": 6},
    "images_evaluation": {"Omega": 2, "Zeta": 7},
}
NAMES = {
    archive: [
        f"{alphabet}/character{c + 1:02d}"
        for alphabet in sorted(alphabets)
        for c in range(alphabets[alphabet])
    ]
    for archive, alphabets in ALPHABETS.items()
}


def drawing(name, number):
    """Return a 1-bit drawing that only this character and number have."""
    rng = np.random.default_rng([*name.encode(), number])
    coarse = rng.random((7, 7)) < 0.3
    return Image.fromarray(~np.kron(coarse, np.ones((15, 15), bool)))


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def files_of(archive):
    """Return the files of an archive, {name: bytes}, not in order."""
    return {
        f"{archive}/{name}/{NAMES[archive].index(name):04d}_{d:02d}.png": png(
            drawing(name, d)
        )
        for name in reversed(NAMES[archive])
        for d in range(20, 0, -1)
    }


def zip_up(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def made():
    return {archive: files_of(archive) for archive in ALPHABETS}


@pytest.fixture(scope="module")
def zipped(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zipped")
    for archive, files in made.items():
        zip_up(folder / f"{archive}.zip", files)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Expect the numbers of the archives made here, not those of Omniglot."""
    numbers = {archive: len(names) for archive, names in NAMES.items()}
    monkeypatch.setattr(omniglot, "ARCHIVES", numbers)
    monkeypatch.setattr(omniglot, "NUM_TRAIN", 15)
    monkeypatch.setattr(omniglot, "NUM_VAL", 4)
    monkeypatch.setattr(omniglot, "NUM_VAL_ALPHABETS", 2)


def test_packed_images_are_the_drawings_in_order(zipped, tmp_path):
    pack_omniglot(zipped, tmp_path / "o.h5")
    data = open_dataset(tmp_path / "o.h5")
    assert data.images.shape == (30, 20, 28, 28, 1)
    assert data.class_names == (
        *NAMES["images_background"],
        *NAMES["images_evaluation"],
    )
    for c, name in enumerate(data.class_names):
        for d in range(20):
            grey = drawing(name, d + 1).convert("L")
            expected = grey.resize((28, 28), Image.Resampling.LANCZOS)
            np.testing.assert_array_equal(data.images[c, d, ..., 0], expected)
    assert "Lanczos" in data.resize_filter
    assert data.polarity == "ink 0, paper 255"


def test_shrinking_blends_ink_and_paper():
    """A 1-bit image resized as such would come out black and white."""
    stripe = np.ones((105, 105), bool)
    stripe[:, 50:54] = False
    small = shrink(Image.fromarray(stripe)).astype(float)
    assert len(np.unique(small)) > 2
    # Lanczos overshoots, and what is clipped at white adds to the ink
    assert (255 - small).sum(1) / 255 * 105 / 28 == pytest.approx(4, abs=0.7)
    assert small.min() < 100


def test_splits_by_alphabet_and_at_random(zipped, tmp_path):
    data = pack_omniglot(zipped, tmp_path / "o.h5")
    assert list(data.splits) == ["random-1200", "background"]
    alphabet = [name.partition("/")[0] for name in data.class_names]
    splits = {n: {alphabet[c] for c in s} for n, s in data.splits["background"].items()}
    assert splits["test"] == set(ALPHABETS["images_evaluation"])
    assert len(splits["val"]) == 2
    assert splits["train"] | splits["val"] == set(ALPHABETS["images_background"])
    assert not splits["train"] & splits["val"]
    assert all(name in data.split_notes["background"] for name in splits["val"])
    random = data.splits["random-1200"]
    assert {n: len(s) for n, s in random.items()} == {"train": 15, "val": 4, "test": 11}
    joined = np.concatenate(list(random.values()))
    np.testing.assert_array_equal(joined, np.random.default_rng(0).permutation(30))
    assert "default_rng(0)" in data.split_notes["random-1200"]


def unpacked(made, folder):
    for files in made.values():
        zip_up(folder / "all.zip", files)
        with zipfile.ZipFile(folder / "all.zip") as archive:
            archive.extractall(folder)


def below_python(made, folder):
    (folder / "python").mkdir()
    unpacked(made, folder / "python")


def one_of_each(made, folder):
    unpacked(made, folder)
    shutil.rmtree(folder / "images_evaluation")
    zip_up(folder / "images_evaluation.zip", made["images_evaluation"])


def from_a_mac(made, folder):
    for archive, files in made.items():
        more = {f"__MACOSX/{name}": b"junk" for name in list(files)[::3]}
        more |= {f"{os.path.dirname(name)}/._x.png": b"junk" for name in files}
        more |= {f"{archive}/.DS_Store": b"junk", f"{archive}/Alpha/": b""}
        inside = {f"python/{name}": content for name, content in files.items()}
        zip_up(folder / f"{archive}.zip", more | inside)


@pytest.mark.parametrize("lay", [unpacked, below_python, one_of_each, from_a_mac])
def test_archives_are_found_as_people_keep_them(made, zipped, tmp_path, lay):
    lay(made, tmp_path)
    expected = pack_omniglot(zipped, tmp_path / "expected.h5")
    got = pack_omniglot(tmp_path, tmp_path / "o.h5")
    assert got.digest == expected.digest
    assert got.class_names == expected.class_names


def with_archive(made, **changes):
    """Return the background archive with files replaced, or left out for None."""
    files = made["images_background"] | changes
    return {name: content for name, content in files.items() if content is not None}


ONE = "images_background/Mu/character02/0007_07.png"  # a file of the archive
WRONG = {
    r"Mu/character02 has 19 drawings, expected 20": None,
    r"Mu/character02/0007_07\.png: must be 105 × 105 .* is 105 × 105 of mode L": png(
        Image.new("L", (105, 105))
    ),
    r"0007_07\.png: must be 105 × 105 .* is 104 × 105 of mode 1": png(
        Image.new("1", (104, 105))
    ),
    r"0007_07\.png: cannot identify": b"hello",
    r"0007_07\.png: .*fetch the archive again": png(drawing("x", 1))[:80],
}


@pytest.mark.parametrize(("expected", "content"), WRONG.items())
def test_a_wrong_drawing_is_named_and_nothing_written(
    made, tmp_path, expected, content
):
    assert ONE in made["images_background"]
    zip_up(tmp_path / "images_background.zip", with_archive(made, **{ONE: content}))
    zip_up(tmp_path / "images_evaluation.zip", made["images_evaluation"])
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match=expected) as caught:
        pack_omniglot(tmp_path, tmp_path / "out" / "o.h5")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path / "out") == []


def test_a_missing_character_is_noticed(made, tmp_path):
    kept = {n: c for n, c in made["images_background"].items() if "Gamma" not in n}
    zip_up(tmp_path / "images_background.zip", kept)
    with pytest.raises(ValueError, match=r"has 20 characters, expected 21"):
        pack_omniglot(tmp_path, tmp_path / "o.h5")


def test_damaged_zip_files_are_named(zipped, made, tmp_path):
    content = bytearray((zipped / "images_background.zip").read_bytes())
    bad = tmp_path / "images_background.zip"
    bad.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"images_background\.zip is not a whole zip"):
        pack_omniglot(tmp_path, tmp_path / "o.h5")
    middle = content.index(made["images_background"][ONE])
    content[middle + 60] ^= 255
    bad.write_bytes(content)
    shutil.copy(zipped / "images_evaluation.zip", tmp_path)
    with pytest.raises(ValueError, match=r"0007_07\.png: .*Bad CRC.*fetch the arch"):
        pack_omniglot(tmp_path, tmp_path / "o.h5")


def test_what_is_not_there_is_named(zipped, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no images_background\.zip and no"):
        pack_omniglot(tmp_path, tmp_path / "o.h5")
    (tmp_path / "images_background").mkdir()  # empty: as good as absent
    assert find_archive(tmp_path, "images_background") is None
    with pytest.raises(FileNotFoundError, match=r"the folder .*absent does not exist"):
        pack_omniglot(zipped, tmp_path / "absent" / "o.h5")


@pytest.mark.skipif(
    "OMNIGLOT_ARCHIVES" not in os.environ,
    reason="OMNIGLOT_ARCHIVES does not name the folder of the real archives",
)
def test_the_real_archives(tmp_path, monkeypatch):
    monkeypatch.undo()
    source = Path(os.environ["OMNIGLOT_ARCHIVES"])
    pack_omniglot(source, tmp_path / "o.h5")
    data = open_dataset(tmp_path / "o.h5")
    assert data.images.shape == (1623, 20, 28, 28, 1)
    sizes = {n: len(c) for n, c in data.splits["random-1200"].items()}
    assert sizes == {"train": 1100, "val": 100, "test": 423}
    sizes = {n: len(c) for n, c in data.splits["background"].items()}
    assert sizes["test"] == 659
    assert sizes["train"] + sizes["val"] == 964
    one = read_archive(find_archive(source, "images_evaluation"))["ULOG/character26"]
    image = Image.open(list(one.values())[19]).convert("L")
    expected = image.resize((28, 28), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(data.images[-1, -1, ..., 0], expected)


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_PER_LINE", 0.0)
    assert list(progress.track("abc", 3, "spelling")) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("spelling: 1 of 3, ")
    assert lines[-1].startswith("spelling: 3 of 3, ")
    assert lines[-1].endswith("/s, 0 s left")


def test_progress_is_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(progress.track(iter("abcd"), 4, "spelling")) == ["a", "b", "c", "d"]
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "/s" in shown
