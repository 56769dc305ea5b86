"""Data sets of the literature, packed from small files of exactly their structure."""

import shutil

import numpy as np
import pytest

import imaml_ref as ir
from data_tools import omniglot
from data_tools.pictures import read_image
from data_tools.published import pack_published
from imaml_ref.data import Episodes, open_dataset
from tests.helpers.circulating import FORMS, SIZE, cub, mini_csv


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Expect the characters made here, not those of Omniglot."""
    monkeypatch.setattr(omniglot, "ARCHIVES", {"all": 7})
    monkeypatch.setattr(omniglot, "NUM_TRAIN", 3)
    monkeypatch.setattr(omniglot, "NUM_VAL", 2)


def source(folder):
    """Return the folder of a copy, or the zip file in it."""
    return next(folder.glob("*.zip"), folder)


def pack(write, folder, **changes):
    folder = source(folder)
    given = {"size": SIZE} | changes
    return pack_published(FORMS[write], folder, folder.parent / "packed.h5", **given)


@pytest.fixture(params=FORMS, ids=lambda write: write.__name__)
def form(request, tmp_path):
    """A writer, its folder, and what it wrote."""
    (tmp_path / "copy").mkdir()
    return request.param, tmp_path / "copy", request.param(tmp_path / "copy")


def test_every_image_is_in_its_class_and_split(form):
    write, folder, expected = form
    data = pack(write, folder)
    found = open_dataset(source(folder).parent / "packed.h5")
    assert found.digest == data.digest
    for split, classes in expected.items():
        assert len(found.splits["published"][split]) == len(classes)
        for c in found.splits["published"][split]:
            wanted = classes[found.class_names[c]]
            np.testing.assert_array_equal(found.images[c], wanted, err_msg=str(c))
    made_here = write.__name__ in ("omniglot_array", "omniglot_folders")
    note = "chosen in packing" if made_here else "as in the files"
    assert note in found.split_notes["published"]
    assert found.source.endswith(
        "21 images, 0 of them duplicates (0 across splits); left out: 0 unreadable, "
        "0 others"
    )


def five_meta_steps(data, net, **settings):
    """Train a network for five meta-steps; return how far θ went, and where it is."""
    tasks = Episodes(data, 2, 1, 2)
    algorithm = ir.IMAML(ir.TaskLoss(net, ir.SoftmaxCrossEntropy()), **settings)
    theta = net.init(np.random.default_rng(0))
    state = ir.meta_train(
        algorithm, theta, tasks, optimizer=ir.SGD(0.1), meta_steps=5, meta_batch=2
    )
    assert state.step == 5
    return np.linalg.norm(state.theta - theta), state.theta


def test_five_meta_steps_are_made_with_it(form):
    write, folder, _ = form
    pack(write, folder)
    data = open_dataset(source(folder).parent / "packed.h5")
    net = ir.architectures.linear(data.input_shape, 2)
    moved, theta = five_meta_steps(data, net, lam=1.0)
    assert np.isfinite(theta).all()
    assert moved > 1e-6


def test_colour_images_of_84_pixels_train_conv4(tmp_path):
    mini_csv(tmp_path)
    pack_published("mini-imagenet", tmp_path, tmp_path / "packed.h5")
    data = open_dataset(tmp_path / "packed.h5")
    assert data.input_shape == (84, 84, 3)
    net = ir.architectures.conv4(2, input_shape=data.input_shape, num_filters=4)
    inner = ir.GradientDescent(0.01, 2)
    moved, theta = five_meta_steps(data, net, lam=1.0, inner=inner)
    assert np.isfinite(theta).all()
    assert moved > 1e-6


def test_images_are_packed_as_the_copy_names_them(tmp_path):
    """BGR is turned, and what is listed is brought to size; both are said."""
    mini_csv(tmp_path)
    data = pack_published("mini-imagenet", tmp_path, tmp_path / "packed.h5", size=5)
    assert data.input_shape == (5, 5, 3)
    assert "Lanczos" in data.resize_filter
    assert data.source.startswith("mini-imagenet from SPLIT.csv: 21 images")
    first = read_image(tmp_path / "images" / "n01" / "n0100000000.jpg", 5, "rgb")
    np.testing.assert_array_equal(data.images[0, 0], first)


def test_duplicates_and_unreadable_images_are_counted(tmp_path):
    write = cub
    expected = write(tmp_path)
    images = tmp_path / "CUB_200_2011" / "images"
    (images / "000.bird_0" / "bird_1.jpg").write_bytes(b"no image")
    for copy in ("000.bird_0/bird_2.jpg", "006.bird_6/bird_1.jpg"):
        shutil.copy(images / "000.bird_0" / "bird_0.jpg", images / copy)
    data = pack_published("cub", tmp_path, tmp_path / "d.h5", size=SIZE, per_class=2)
    assert data.source.endswith(
        "14 images, 2 of them duplicates (1 across splits); left out: 1 unreadable, "
        "6 others"
    )
    first = expected["train"]["000.bird_0"][0]
    np.testing.assert_array_equal(data.images[0], np.stack([first, first]))
