"""Packing one's own images, a folder per class."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from data_tools.images import pack_images, read_image
from data_tools.splits import parse_split
from imaml_ref.cli import main
from imaml_ref.cli.data import way_out
from imaml_ref.data import open_dataset


def picture(seed, size=(9, 14), mode="RGB"):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


KINDS = ("a.png", "b.JPG", "c.bmp", "d.gif", "e.tiff", "f.webp")


@pytest.fixture
def folder(tmp_path):
    """A folder of 7 classes, each with 6 pictures in as many formats."""
    root = tmp_path / "my letters"
    for c in range(7):
        (root / f"class {c}").mkdir(parents=True)
        for i, name in enumerate(KINDS):
            picture([c, i]).save(root / f"class {c}" / name)
        (root / f"class {c}" / "notes.txt").write_text("not an image")
        (root / f"class {c}" / "._a.png").write_text("not an image either")
    (root / ".cache").mkdir()
    (root / "read me.txt").write_text("hello")
    return root


@pytest.mark.parametrize(("colour", "mode"), [("grey", "L"), ("rgb", "RGB")])
def test_a_folder_is_packed_by_class_and_name(folder, tmp_path, colour, mode):
    pack_images(folder, tmp_path / "d.h5", size=8, colour=colour)
    data = open_dataset(tmp_path / "d.h5")
    assert data.images.shape == (7, 6, 8, 8, len(mode) if colour == "rgb" else 1)
    assert data.class_names == tuple(f"class {c}" for c in range(7))
    for c in range(7):
        lossless = picture([c, 0]).convert(mode)
        expected = np.asarray(lossless.resize((8, 8), Image.Resampling.LANCZOS))
        np.testing.assert_array_equal(
            data.images[c, 0], expected.reshape(8, 8, -1), err_msg=str(c)
        )
    assert data.source.startswith("folder my letters: 42 images, 0 of them duplicates")


def test_classes_are_split_by_fractions_and_seed(folder, tmp_path):
    kwargs = {"size": 4, "split": (0.4, 0.3, 0.3)}
    data = pack_images(folder, tmp_path / "d.h5", seed=3, **kwargs)
    sizes = {n: len(s) for n, s in data.splits["random"].items()}
    assert sizes == {"train": 3, "val": 2, "test": 2}
    joined = np.concatenate(list(data.splits["random"].values()))
    np.testing.assert_array_equal(joined, np.random.default_rng(3).permutation(7))
    other = pack_images(folder, tmp_path / "e.h5", seed=4, **kwargs)
    assert other.splits["random"]["test"].tolist() != joined[-2:].tolist()


def test_classes_are_split_by_number_and_by_name(folder, tmp_path):
    data = pack_images(folder, tmp_path / "d.h5", size=4, split=(2, 3, 2), seed=1)
    sizes = {n: len(s) for n, s in data.splits["random"].items()}
    assert sizes == {"train": 2, "val": 3, "test": 2}
    lists = {
        "a.txt": "class 5\n\n class 0 \n",
        "b.txt": "class 2",
        "c.txt": "class 1\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    split = parse_split(",".join(str(tmp_path / name) for name in lists))
    pack_images(folder, tmp_path / "e.h5", size=4, split=split)
    named = open_dataset(tmp_path / "e.h5").splits["named"]
    assert {n: s.tolist() for n, s in named.items()} == {
        "train": [5, 0],
        "val": [2],
        "test": [1],
    }


def test_a_split_in_words_is_read_or_refused():
    assert parse_split("8,2, 2") == (8, 2, 2)
    assert parse_split("0.5,.25,0.25") == (0.5, 0.25, 0.25)
    with pytest.raises(ValueError, match=r"three fractions .* got '8,2,x': .*No such"):
        parse_split("8,2,x")


def test_a_class_that_no_file_can_name_is_refused(folder, tmp_path):
    try:
        (folder / "class 1").rename(folder / os.fsdecode(b"caf\xe9"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(ValueError, match=r"caf\\xe9' is not UTF-8; rename it"):
        pack_images(folder, tmp_path / "d.h5")


def test_folders_and_documents_named_like_images_are_no_images(folder, tmp_path):
    (folder / "class 1" / "more.png").mkdir()
    (folder / "class 2" / "letter.pdf").touch()  # Pillow writes those only
    assert pack_images(folder, tmp_path / "d.h5", size=4).images.shape[:2] == (7, 6)


def test_unequal_classes_are_named_and_per_class_evens_them(folder, tmp_path):
    (folder / "class 3" / "a.png").unlink()
    expected = r"but 'class 3' has 5 and 'class 0' 6; .* per_class=5, .* --per-class 5"
    with pytest.raises(ValueError, match=expected):
        pack_images(folder, tmp_path / "d.h5")
    data = pack_images(folder, tmp_path / "d.h5", per_class=5, size=9)
    assert data.images.shape == (7, 5, 9, 9, 1)
    first = read_image(folder / "class 0" / "a.png", 9, "grey")
    np.testing.assert_array_equal(data.images[0, 0], first)
    with pytest.raises(ValueError, match=r"6 images per class .* 'class 3' has 5"):
        pack_images(folder, tmp_path / "e.h5", per_class=6)


def test_pictures_are_made_upright_and_laid_on_white(tmp_path):
    turned = picture(1, size=(6, 10))
    exif = turned.getexif()
    exif[0x0112] = 6  # turn by 90° clockwise to view
    turned.save(tmp_path / "turned.png", exif=exif)
    upright = turned.rotate(-90, expand=True).resize((5, 5), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(
        read_image(tmp_path / "turned.png", 5, "rgb"), upright
    )
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png", 3, "grey") == 255).all()


def test_a_file_that_is_there_is_not_overwritten(folder, tmp_path, capsys):
    (tmp_path / "d.h5").write_text("mine")
    pack = ["data", "pack-images", str(folder), str(tmp_path / "d.h5"), "--size", "4"]
    assert main(pack) == 2
    assert "d.h5 is there; move it away, or name another" in capsys.readouterr().err
    assert (tmp_path / "d.h5").read_text() == "mine"


def test_unreadable_and_equal_images_are_counted(folder, tmp_path):
    not_an_image(folder)
    for c in (0, 4):  # as often within a split as across, whichever they are
        shutil.copy(folder / "class 1" / "b.JPG", folder / f"class {c}" / "d.JPG")
    lists = (["class 0", "class 1"], ["class 2", "class 3"], ["class 4"])
    data = pack_images(folder, tmp_path / "d.h5", size=4, per_class=5, split=lists)
    assert data.source.endswith(
        "35 images, 2 of them duplicates (1 across splits); left out: 1 unreadable, "
        "8 others"
    )
    next_one = read_image(folder / "class 2" / "d.gif", 4, "grey")
    np.testing.assert_array_equal(data.images[2, 2], next_one)


def test_a_class_without_a_readable_image_is_to_be_mended(folder, tmp_path):
    for path in (folder / "class 2").iterdir():
        path.write_bytes(b"no image")
    expected = r"'class 2' is left with 0 of 6 images; 6 cannot .*; mend them$"
    with pytest.raises(ValueError, match=expected):
        pack_images(folder, tmp_path / "d.h5")
    assert not (tmp_path / "d.h5").exists()


def no_folder(folder):
    shutil.rmtree(folder)


def no_class(folder):
    for sub in folder.glob("class*"):
        shutil.rmtree(sub)


def empty_class(folder):
    (folder / "class 9").mkdir()


def not_an_image(folder):
    (folder / "class 2" / "c.bmp").write_text("hello")


def two_classes(folder):
    for c in range(2, 7):
        shutil.rmtree(folder / f"class {c}")


BAD = {
    no_folder: r"no such folder: .*my letters",
    no_class: r"no images in .*my letters; expected one folder per class",
    empty_class: r"no images in .*class 9; expected",
    not_an_image: r"class 2/c\.bmp cannot be read as an image",
    two_classes: r"2 classes are too few for train, val and test",
}


@pytest.mark.parametrize(("spoil", "expected"), BAD.items())
def test_a_wrong_folder_is_refused_and_nothing_written(
    folder, tmp_path, spoil, expected
):
    spoil(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=expected) as caught:
        pack_images(folder, tmp_path / "d.h5")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "d.h5").exists()


ARGUMENTS = {
    r"colour must be grey or rgb and size at least 1, got 'cmyk'": {"colour": "cmyk"},
    r"size at least 1, got 'grey' and 0": {"size": 0},
    r"the split must be three fractions .*, got \(0\.5, 0\.4\)": {"split": (0.5, 0.4)},
    r"got \(0\.5, 0\.6, 0\.1\) of sum 1\.2": {"split": (0.5, 0.6, 0.1)},
    r"all positive, got \(8, 0, -1\)": {"split": (8, 0, -1)},
    r"the split \(4, 2, 2\) has 8 classes, there are 7": {"split": (4, 2, 2)},
    r"names 'x', which is none of the 7 classes": {"split": (["x"], ["y"], ["z"])},
    r"splits train and val .* share 1 classes": {"split": 3 * [["class 1"]]},
    r"split named/val must name classes .*, got none": {
        "split": (["class 1"], [], ["class 2"])
    },
    r"images per class must be at least 1, got 0": {"per_class": 0},
}


@pytest.mark.parametrize(("expected", "changes"), ARGUMENTS.items())
def test_wrong_arguments_are_named(folder, tmp_path, expected, changes):
    with pytest.raises(ValueError, match=expected):
        pack_images(folder, tmp_path / "d.h5", **changes)
    with pytest.raises(FileNotFoundError, match=r"the folder .*absent does not exist"):
        pack_images(folder, tmp_path / "absent" / "d.h5")
    with pytest.raises(IsADirectoryError, match=r"it is a folder; name a file"):
        pack_images(folder, tmp_path, **changes)


def test_images_that_belong_to_no_class_are_counted(folder, tmp_path, capsys):
    packed = tmp_path / "d.h5"
    pack = ["data", "pack-images", str(folder), str(packed), "--size", "4"]
    assert main(pack) == 0
    assert "passed over" not in capsys.readouterr().out
    (folder / "class 1" / "more").mkdir()
    for place in (folder, folder / "class 1" / "more"):
        picture(0).save(place / "loose.png")
    packed.unlink()
    assert main(pack) == 0
    assert "2 images passed over: they lie beside" in capsys.readouterr().out


SPLITS = {
    "4,2,1": "1 class makes no task; for 5 ways, 5 classes in each split are needed",
    "3,2,2": "train with --ways 2; for 5 ways",
}


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_too_small_for_five_ways_names_the_way_out(
    folder, tmp_path, capsys, split
):
    packed = str(tmp_path / "d.h5")
    pack = ["data", "pack-images", str(folder), packed, "--size", "4"]
    assert main([*pack, "--split", split]) == 0
    assert main(["data", "info", packed]) == 0
    notes = [t for t in capsys.readouterr().out.splitlines() if t.startswith("note")]
    assert len(notes) == 2
    assert all(SPLITS[split] in note for note in notes)


def test_enough_classes_in_too_small_splits_are_to_be_packed_again():
    assert way_out({"train": 12, "val": 2, "test": 3}).endswith("--split 7,5,5")
