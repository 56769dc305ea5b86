"""Episodes gathered on the double of a device are those of the host, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import array_module, to_device
from imaml_ref.data import Episodes, Sinusoids, open_dataset, write_dataset
from imaml_ref.training.evaluation import near
from tests.helpers.tiny_runs import make_images
from tests.machines.double import OutOfMemory, device_double

IMAGES = make_images()
GLYPHS = ir.data.glyph_alphabets(num_alphabets=9, num_characters=2)
NAMES = ("support_x", "support_y", "query_x", "query_y")


@pytest.fixture
def device():
    with device_double() as device:
        yield device


def oblong():
    """Images that cannot be turned."""
    return replace(IMAGES, images=np.ascontiguousarray(IMAGES.images[:, :, :, :5]))


def cases():
    """Return episodes by name, none of them on a device yet."""
    return {
        "turned in training": Episodes(IMAGES, 4, 2, 3),
        "turned everywhere": Episodes(IMAGES, 5, 1, 1, rotate="all"),
        "upright": Episodes(IMAGES, 2, 1, 2, rotate="none"),
        "inverted": Episodes(IMAGES, 3, 1, 2, invert=True),
        "oblong": Episodes(oblong(), 3, 1, 2, rotate="none"),
        "glyphs": Episodes(
            ir.data.glyph_alphabets(num_alphabets=9, num_characters=2), 2, 1, 2
        ),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("name", cases())
def test_gathered_tasks_have_the_bits_of_those_of_the_host(name, split, dtype, device):
    episodes = cases()[name]
    ask = {"seed": 5, "step": 7, "num_tasks": 6, "first": 2, "dtype": dtype}
    here, there = (e.sample(split, **ask) for e in (episodes, episodes.resident))
    for name in NAMES:
        got, want = getattr(there, name).get(), getattr(here, name)
        assert got.dtype == want.dtype
        assert_array_equal(got, want, err_msg=name)


def test_images_of_a_file_are_resident_as_bytes_once(tmp_path, device):
    write_dataset(tmp_path / "data.h5", IMAGES)
    episodes = Episodes(open_dataset(tmp_path / "data.h5"), 3, 1, 2)
    before = device.live
    resident = episodes.resident
    assert device.live - before <= IMAGES.images.nbytes + 512
    assert episodes.resident is resident
    assert resident.describe() == episodes.describe()
    uploads, waits = device.uploads, device.waits
    resident.sample("train", seed=0, step=0, num_tasks=9)
    assert device.uploads - uploads == 2  # rows of images, and angles
    assert device.waits == waits


def test_the_source_nearest_to_theta_is_taken(device):
    episodes, curves = cases()["upright"], Sinusoids(2, 3)
    theta = np.ones(3)
    assert near(theta, episodes) is episodes
    assert near(to_device(theta), episodes) is episodes.resident
    assert near(to_device(theta), curves) is curves
    tasks = episodes.resident.sample("val", seed=0, step=0, num_tasks=1)
    assert array_module(*(getattr(tasks, name) for name in NAMES)) is not np


def test_a_device_too_small_for_the_images_says_so_at_once(device):
    device.limit = IMAGES.images.nbytes // 2
    with pytest.raises(OutOfMemory):
        _ = Episodes(IMAGES, 3, 1, 2).resident
