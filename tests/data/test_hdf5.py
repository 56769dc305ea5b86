"""Data sets: in memory, in HDF5, and damaged."""

import hashlib

import h5py
import numpy as np
import pytest

from imaml_ref.data import (
    ImageSet,
    describe,
    open_dataset,
    write_dataset,
)
from imaml_ref.files.whole import BadFile

SHAPE = (6, 3, 5, 4, 2)  # class, instance, H, W, C
SPLITS = {
    "first": {"train": [0, 1], "val": [2], "test": [3, 4, 5]},
    "another": {"train": [5, 3], "val": [1], "test": [0]},
}


def image_set(**changes):
    rng = np.random.default_rng(0)
    parts = {
        "images": rng.integers(0, 256, SHAPE, dtype=np.uint8),
        "class_names": tuple("αbcdef"),
        "splits": {
            scheme: {name: np.array(c) for name, c in splits.items()}
            for scheme, splits in SPLITS.items()
        },
        "source": "noise",
        "resize_filter": "none",
        "polarity": "ink 0",
        "split_notes": {"first": "by hand", "another": "by foot"},
    }
    return ImageSet(**parts | changes)


def test_the_digest_is_of_shape_and_pixels():
    data = image_set()
    pixels = b"uint8 (6, 3, 5, 4, 2)" + data.images.tobytes()
    assert data.digest == hashlib.sha256(pixels).hexdigest()
    reshaped = image_set(images=data.images.reshape(6, 3, 4, 5, 2))
    assert reshaped.digest != data.digest
    backwards = data.images[..., ::-1]  # not contiguous
    assert image_set(images=backwards).digest == image_set(images=backwards + 0).digest


def split(**parts):
    splits = {"train": [0, 1], "val": [2], "test": [3]} | parts
    return {"splits": {"s": {n: np.array(c) for n, c in splits.items()}}}


WRONG = {
    r"must be uint8 .* got float64 \(6, 3, 5, 4, 2\)": {"images": np.zeros(SHAPE)},
    r"got uint8 \(6, 3, 5, 4\)": {"images": np.zeros(SHAPE[:-1], np.uint8)},
    r"got uint8 \(6, 0, 5, 4, 2\)": {"images": np.zeros((6, 0, 5, 4, 2), np.uint8)},
    r"2 class names for 6 classes": {"class_names": ("a", "b")},
    r"no split scheme": {"splits": {}},
    r"train and test of scheme 's' share 1 classes, class 1 first": split(test=[1, 3]),
    r"val and test of scheme 's' share": split(test=[2, 3]),
    r"split s/val must name classes 0 to 5, got 6 to 6": split(val=[6]),
    r"split s/val must name classes 0 to 5, got -1 to 2": split(val=[2, -1]),
    r"split s/train names a class twice": split(train=[0, 0]),
    r"split s/test must name classes 0 to 5, got none": split(test=np.zeros(0, int)),
    r"split s/test must be a list of class indices, got float64": split(test=[3.0]),
    r"scheme 's' must have train, val, test, got train": {
        "splits": {"s": {"train": np.array([0])}}
    },
}


@pytest.mark.parametrize(("expected", "changes"), WRONG.items())
def test_a_wrong_image_set_is_refused(expected, changes):
    with pytest.raises(ValueError, match=expected) as caught:
        image_set(**changes)
    assert "\n" not in str(caught.value)


def test_classes_are_found_by_scheme_and_split():
    data = image_set()
    np.testing.assert_array_equal(data.classes("another", "train"), [5, 3])
    assert data.default_scheme == "first"
    assert data.input_shape == (5, 4, 2)
    with pytest.raises(
        ValueError, match=r"unknown split scheme 'x'; there is first, a"
    ):
        data.classes("x", "train")
    with pytest.raises(ValueError, match=r"unknown split 'dev'; expected train, val"):
        data.classes("first", "dev")


def test_a_data_set_comes_back_from_its_file(tmp_path):
    data, path = image_set(), tmp_path / "data.h5"
    write_dataset(path, data)
    back = open_dataset(path)
    np.testing.assert_array_equal(back.images, data.images)
    assert back.images.dtype == np.uint8
    for name in ("class_names", "source", "resize_filter", "polarity", "digest"):
        assert getattr(back, name) == getattr(data, name)
    assert back.split_notes == data.split_notes
    assert list(back.splits) == ["first", "another"]  # in order: first is the default
    for scheme, splits in SPLITS.items():
        for name, classes in splits.items():
            np.testing.assert_array_equal(back.classes(scheme, name), classes)


def test_the_file_is_as_documented(tmp_path):
    write_dataset(tmp_path / "data.h5", image_set())
    with h5py.File(tmp_path / "data.h5") as file:
        assert file.attrs["schema"] == "imaml_ref/dataset"
        assert file.attrs["schema_version"] == 1
        assert file["images"].chunks == (1, *SHAPE[1:])
        assert file["images"].compression == "gzip"
        assert file["splits/another/train"][()].tolist() == [5, 3]


def test_describe_says_what_is_in_a_file(tmp_path):
    write_dataset(tmp_path / "data.h5", image_set())
    record = describe(tmp_path / "data.h5")
    assert record["file"] == "data.h5"
    assert (record["classes"], record["drawings"]) == (6, 3)
    assert record["image_shape"] == [5, 4, 2]
    assert record["splits"]["first"] == {
        "train": 2,
        "val": 1,
        "test": 3,
        "note": "by hand",
    }


def changed_pixel(file):
    file["images"][2, 1, 3, 0, 1] ^= 1


def overlap(file):
    file["splits/another/test"][0] = 5


def out_of_range(file):
    file["splits/first/val"][0] = 6


def no_images(file):
    del file["images"]


def no_digest(file):
    del file.attrs["digest"]


def other_type(file):
    images = file["images"][()]
    del file["images"]
    file["images"] = images.astype(np.int16)


def images_are_a_group(file):
    del file["images"]
    file.create_group("images")


def newer(file):
    file.attrs["schema_version"] = 2


DAMAGE = {
    changed_pixel: r"images have digest .*, so it was changed after packing",
    overlap: r"splits train and test of scheme 'another' share 1 classes, class 5",
    out_of_range: r"split first/val must name classes 0 to 5, got 6 to 6",
    no_images: r"does not hold: .*images",
    no_digest: r"does not hold: .*digest",
    other_type: r"must be uint8 .* got int16",
    images_are_a_group: r"does not hold: ",
    newer: r"version 2, this program reads 1 to 1; install a newer",
}


@pytest.mark.parametrize(("damage", "expected"), DAMAGE.items())
def test_a_damaged_file_is_refused_with_the_reason(tmp_path, damage, expected):
    path = tmp_path / "data.h5"
    write_dataset(path, image_set())
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(BadFile, match=expected) as caught:
        open_dataset(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_garbled_chunks_are_noticed(tmp_path):
    path = tmp_path / "data.h5"
    write_dataset(path, image_set())
    with h5py.File(path) as file:
        where = file["images"].id.get_chunk_info(4).byte_offset
    content = bytearray(path.read_bytes())
    content[where + 10 : where + 40] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"does not hold: .*pack it again"):
        open_dataset(path)


def test_a_truncated_file_is_refused_at_any_length(tmp_path):
    whole, part = tmp_path / "data.h5", tmp_path / "part.h5"
    write_dataset(whole, image_set())
    content = whole.read_bytes()
    for length in range(0, len(content), len(content) // 40):
        part.write_bytes(content[:length])
        with pytest.raises(BadFile):
            open_dataset(part)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*absent\.h5"):
        open_dataset(tmp_path / "absent.h5")


def test_a_failed_write_keeps_the_older_file(tmp_path):
    path = tmp_path / "data.h5"
    write_dataset(path, image_set())
    before = path.read_bytes()
    broken = image_set(source=object())
    with pytest.raises(TypeError):
        write_dataset(path, broken)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["data.h5"]
