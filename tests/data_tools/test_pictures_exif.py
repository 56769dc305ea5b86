"""Pictures are made upright by their EXIF, however odd the rest of it is."""

import struct

import numpy as np
import pytest
from PIL import Image

from data_tools.pictures import read_image
from tests.helpers.raw_pictures import exif

RESOLUTION, SOFTWARE, EXPOSURE = 0x011A, 0x0131, 0x829A
TEXT, RATIONAL, SIGNED_RATIONAL, DOUBLE = 2, 5, 10, 12

ODD = {
    "plain": [],
    "text as resolution": [(RESOLUTION, TEXT, 8, b"unknown\0")],
    "negative rational": [(RESOLUTION, SIGNED_RATIONAL, 1, struct.pack("<ii", -7, 2))],
    "negative, of another tag": [
        (EXPOSURE, SIGNED_RATIONAL, 1, struct.pack("<ii", -1, 3))
    ],
    "0/0": [(RESOLUTION, RATIONAL, 1, bytes(8))],
    "not a number": [(RESOLUTION, DOUBLE, 1, struct.pack("<d", np.nan))],
    "infinity": [(RESOLUTION, DOUBLE, 1, struct.pack("<d", np.inf))],
    "a rational of no values": [(RESOLUTION, RATIONAL, 0, b"")],
    "a number as text": [(SOFTWARE, RATIONAL, 1, struct.pack("<II", 1, 2))],
    "a type that there is not": [(SOFTWARE, 99, 1, b"abcd")],
}
CORNERS = np.array([[0, 60, 120], [180, 220, 255]], np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("kind", ODD)
def test_odd_entries_do_not_keep_a_picture_from_being_upright(tmp_path, kind, suffix):
    """Orientation 6 is to be turned clockwise: NumPy's rot90 by −1."""
    pixels, path = (
        np.kron(CORNERS, np.ones((16, 16), np.uint8)),
        tmp_path / f"a{suffix}",
    )
    content = exif(6, *ODD[kind])
    more = {} if suffix == ".png" else {"quality": 98}
    Image.fromarray(pixels).save(path, exif=content, **more)
    found = read_image(path, 6, "grey")[..., 0]
    straight = Image.fromarray(np.rot90(pixels, -1)).resize(
        (6, 6), Image.Resampling.LANCZOS
    )
    np.testing.assert_allclose(found, np.asarray(straight), atol=6)  # JPEG, WebP


UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
    9: lambda a: a,  # means nothing
}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_each_orientation_is_the_turn_of_numpy(tmp_path, orientation, dtype, suffix):
    """Not of a square: Pillow turns those right where it scrambles others."""
    path, scale = tmp_path / f"a{suffix}", np.iinfo(dtype).max // 255
    pixels = np.kron(CORNERS, np.ones((4, 4), np.uint8))
    wide = pixels * dtype(scale)
    Image.fromarray(wide).save(path, exif=exif(orientation))
    found = read_image(path, 24, "grey")[..., 0]
    turned = Image.fromarray(np.ascontiguousarray(UPRIGHT[orientation](pixels)))
    expected = np.asarray(turned.resize((24, 24), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(found, expected)
