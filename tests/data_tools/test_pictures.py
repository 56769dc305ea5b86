"""Pictures of every mode that Pillow knows become the right 8 bits, or are refused."""

import os
import struct
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from data_tools.pictures import read_image
from tests.helpers.raw_pictures import pgm, png, tiff

RAMP = [0, 1000, 16384, 32767, 40000, 65535]  # of 16 bits
SIDE = len(RAMP)


def nearest(values, most):
    """Return round(255 v/most) of whole numbers, computed without rounding."""
    return [int(Fraction(255 * v, most) + Fraction(1, 2)) for v in values]


def row_of(path, colour="grey"):
    """Read a picture of one row at its own width; the row (width, channels)."""
    with Image.open(path) as image:
        width = image.width
    pixels = read_image(path, width, colour)
    assert (pixels == pixels[0]).all()
    return pixels[0]


def read_bytes(tmp_path, suffix, content, colour="grey"):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    row = row_of(path, colour)
    return row[:, 0].tolist() if colour == "grey" else row.tolist()


def big(values):
    return struct.pack(f">{len(values)}H", *values)


def little(values):
    return struct.pack(f"<{len(values)}H", *values)


TWELVE = [0, 4, 0x800, 0xFFF]
PACKED = bytes([0x00, 0x00, 0x04, 0x80, 0x0F, 0xFF])  # the same in 12 bits each

WIDE = {
    "png": (".png", png(big(RAMP), 16, 0), nearest(RAMP, 65535)),
    "tiff": (".tif", tiff(little(RAMP), 16, SIDE), nearest(RAMP, 65535)),
    "tiff, big-endian": (
        ".tiff",
        tiff(big(RAMP), 16, SIDE, order=">"),
        nearest(RAMP, 65535),
    ),
    "tiff, white is 0": (
        ".tif",
        tiff(little(RAMP), 16, SIDE, photometric=0),
        nearest([65535 - v for v in RAMP], 65535),
    ),
    "tiff of 12 bits": (".tif", tiff(PACKED, 12, 4), nearest(TWELVE, 4095)),
    "pgm": (".pgm", pgm(big(RAMP), 65535, SIDE), nearest(RAMP, 65535)),
    "pgm of 12 bits": (".pgm", pgm(big(TWELVE), 4095, 4), nearest(TWELVE, 4095)),
    "pgm of 4 bits": (".pgm", pgm(bytes([0, 5, 15]), 15, 3), [0, 85, 255]),
    "png of 4 bits": (".png", png(bytes([0x05, 0xAF]), 4, 0), [0, 85, 170, 255]),
    "png of 2 bits": (".png", png(bytes([0b00011011]), 2, 0), [0, 85, 170, 255]),
    "tiff of 8 bits, white is 0": (
        ".tif",
        tiff(bytes([0, 100, 255]), 8, 3, photometric=0),
        [255, 155, 0],
    ),
}


@pytest.mark.parametrize("kind", WIDE)
def test_a_ramp_of_any_depth_stays_a_ramp(tmp_path, kind):
    suffix, content, expected = WIDE[kind]
    assert read_bytes(tmp_path, suffix, content) == expected


def test_a_picture_of_16_bits_is_resized_like_its_8_bits(tmp_path):
    """The ramp of the whole range, as NumPy users save it."""
    wide = np.linspace(0, 65535, 90 * 90).round().astype(np.uint16).reshape(90, 90)
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(wide).save(tmp_path / "a.jp2", irreversible=False)
    grey = Image.fromarray(np.rint(wide / 257).astype(np.uint8))
    expected = np.asarray(grey.resize((64, 64), Image.Resampling.LANCZOS))
    for name in ("a.png", "a.jp2"):
        found = read_image(tmp_path / name, 64, "grey")[..., 0]
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("mode", ["1", "P"])
def test_drawings_of_few_values_are_blended_when_they_shrink(tmp_path, mode):
    """Pillow resizes these modes by nearest neighbour, whatever filter it is given."""
    ink = np.random.default_rng(0).random((105, 105)) < 0.5
    grey = Image.fromarray(np.where(ink, 0, 255).astype(np.uint8))
    grey.convert(mode).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == mode
    found = read_image(tmp_path / "a.png", 28, "grey")[..., 0]
    expected = np.asarray(grey.resize((28, 28), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 100


def tags(red, *more):
    return b"tRNS", big([red, *more])


GREY2, GREY4 = bytes([0b00011011]), bytes([0x05, 0xAF])
PALETTE = b"PLTE", bytes([0, 0, 0, 90, 90, 90, 150, 150, 150, 200, 200, 200])
INDEX = bytes([0, 1, 2, 3])
CLEAR = {
    "grey 2": (png(GREY2, 2, 0, tags(1)), [0, 255, 170, 255]),
    "grey 4": (png(GREY4, 4, 0, tags(10)), [0, 85, 255, 255]),
    "grey 8": (png(bytes([0, 5, 6, 255]), 8, 0, tags(5)), [0, 255, 6, 255]),
    "grey 16": (png(big([0, 257, 258, 65535]), 16, 0, tags(257)), [0, 255, 1, 255]),
    "rgb 8": (
        png(bytes([0, 0, 0, 5, 5, 5, 6, 6, 6]), 8, 2, tags(5, 5, 5)),
        [0, 255, 6],
    ),
    "palette": (
        png(INDEX, 8, 3, PALETTE, (b"tRNS", bytes([255, 0, 128]))),
        [0, 255, 202, 200],  # 150 at 128/255 on white: 202.3
    ),
    "grey and alpha 16": (
        png(big([0, 65535, 0, 0, 0, 32768, 65535, 65535]), 16, 4),
        [0, 255, 127, 255],
    ),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_what_is_transparent_is_white_at_any_depth(tmp_path, kind):
    content, expected = CLEAR[kind]
    found = read_bytes(tmp_path, ".png", content)
    np.testing.assert_allclose(found, expected, atol=1)  # a product in whole numbers


COLOURS = np.array([[0, 0, 0], [255, 0, 0], [9, 99, 200], [120, 120, 120]], np.uint8)


def saved(mode, suffix, **more):
    """Return how to write the four colours in a mode, and what comes back."""
    return lambda path: Image.fromarray(COLOURS[None]).convert(mode).save(path, **more)


MODES = {
    "RGB": (saved("RGB", ".png"), ".png", 0),
    "RGBA": (saved("RGBA", ".png"), ".png", 0),
    "P": (saved("P", ".png"), ".png", 45),  # the palette of the web has steps of 51
    "CMYK": (saved("CMYK", ".tif"), ".tif", 0),
    "CMYK jpeg": (saved("CMYK", ".jpg", quality=100), ".jpg", 3),
    "RGB 16": (None, ".png", 1),
}


@pytest.mark.parametrize("kind", MODES)
def test_colours_of_any_mode_stay_the_colours(tmp_path, kind):
    save, suffix, atol = MODES[kind]
    path = tmp_path / f"a{suffix}"
    if save is None:
        wide = 257 * COLOURS.astype(int).ravel()
        path.write_bytes(png(big(wide), 16, 2))
    else:
        save(path)
    np.testing.assert_allclose(row_of(path, "rgb"), COLOURS, atol=atol)


@pytest.mark.parametrize("mode", ["1", "LA", "PA"])
def test_grey_of_any_mode_stays_grey(tmp_path, mode):
    Image.fromarray(np.array([[0, 255, 255, 0]], np.uint8)).convert(mode).save(
        tmp_path / "a.tif"
    )
    assert row_of(tmp_path / "a.tif")[:, 0].tolist() == [0, 255, 255, 0]


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


UNKNOWN = {
    "floats": (".tif", tiff(floats([0, 0.5, 1]), 32, 3, sample_format=3)),
    "pfm": (".pfm", b"Pf\n3 1\n-1.0\n" + floats([0, 0.5, 1])),
    "32 bits": (".tif", tiff(struct.pack("<3I", 0, 2**31, 2**32 - 1), 32, 3)),
    "signed 16": (".tif", tiff(struct.pack("<3h", -9, 0, 9), 16, 3, sample_format=2)),
    "signed 8": (".tif", tiff(bytes([0, 127, 128]), 8, 3, sample_format=2)),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_where_nothing_says_what_is_white_nothing_is_guessed(tmp_path, kind):
    suffix, content = UNKNOWN[kind]
    # Pillow before 10.3 has not heard of PFM.
    why = r"(nothing says which .* is white|cannot identify)"
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.\w+ cannot be read .*: {why}") as caught:
        read_image(tmp_path / f"a{suffix}", 3, "grey")
    assert "\n" not in str(caught.value)


def test_a_transparent_colour_of_16_bits_is_refused(tmp_path):
    """Pillow compares it with colours of 8 bits."""
    content = png(big(6 * [257]), 16, 2, tags(257, 257, 257))
    with pytest.raises(ValueError, match=r"a\.png .* a transparent colour of 16 bits"):
        read_bytes(tmp_path, ".png", content)


def test_a_picture_that_may_be_meant_to_fill_the_memory_is_refused(
    tmp_path, monkeypatch
):
    """One line, where Pillow warns, and where it raises: above twice the number."""
    Image.new("L", (12, 12)).save(tmp_path / "a.png")
    for most in (100, 70):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(ValueError, match=r"a\.png .* exceeds limit of") as caught:
            read_image(tmp_path / "a.png", 3, "grey")
        assert "\n" not in str(caught.value)


def test_of_several_frames_the_first_is_taken(tmp_path):
    frames = [Image.new("L", (5, 5), value) for value in (10, 200)]
    for name in ("a.gif", "a.tif", "a.png", "a.webp"):
        lossless = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(
            tmp_path / name, save_all=True, append_images=frames[1:], **lossless
        )
        assert (read_image(tmp_path / name, 3, "grey") == 10).all(), name


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    for name in ("gone.png", "pipe.png", "."):
        with pytest.raises(ValueError, match=r"cannot be read .* it is no file"):
            read_image(tmp_path / name, 3, "grey")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png cannot be read as an image"):
        read_image(tmp_path / "empty.png", 3, "grey")


@pytest.mark.parametrize(
    "error", [TypeError("abs()"), struct.error("2\n3"), KeyError(7)]
)
def test_whatever_pillow_raises_is_said_in_one_line(tmp_path, monkeypatch, error):
    Image.new("L", (5, 5)).save(tmp_path / "a.png")

    def fail(*_):
        raise error

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image") as said:
        read_image(tmp_path / "a.png", 3, "grey")
    assert "\n" not in str(said.value)
    assert type(error).__name__ in str(said.value)


def test_lightness_of_lab_is_the_grey_of_cie(tmp_path):
    """Neutral colours: Y = ((L + 16)/116)³, and sRGB's curve."""
    stored = np.array([[30, 128, 255]], np.uint8)
    neutral = Image.new("L", (3, 1), 128)
    bands = [Image.fromarray(stored), neutral, neutral]
    Image.merge("LAB", bands).save(tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes().endswith(bytes([255, 0, 0]))
    y = ((100 / 255 * stored[0] + 16) / 116) ** 3
    expected = 255 * (1.055 * y ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(row_of(tmp_path / "a.tif")[:, 0], expected, atol=3)
