"""Pictures of every mode and depth, their 8-bit values by NumPy's arithmetic.

The grey of a colour is that of ITU-R 601-2, 0.299 R + 0.587 G + 0.114 B; transparent
pixels lie on white paper; 16 bits become 8 by v/257.
"""

import numpy as np
from PIL import Image

from data_tools.images import read_image

from . import Drawn, pick

LUMA = np.array([0.299, 0.587, 0.114])
# One level for rounding grey from colours, one for laying colours on paper.
ROOM = 2
SUFFIXES = {
    "1": ("png", "tif", "bmp"),
    "L": ("png", "tif", "bmp", "pgm"),
    "LA": ("png", "tif"),
    "P": ("png", "gif", "bmp"),
    "RGB": ("png", "tif", "bmp", "ppm"),
    "RGBA": ("png", "tif"),
    "CMYK": ("tif",),
    "I;16": ("png", "tif"),
}
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a picture: of one colour, turned, of any mode, or none at all."""
    return pick(rng, [flat, turned, moded, moded, foreign])(rng)


def moded(rng: np.random.Generator) -> Drawn:
    """Draw pixels of some mode, in some format."""
    mode = pick(rng, SUFFIXES)
    suffix, colour = pick(rng, SUFFIXES[mode]), pick(rng, ["grey", "rgb"])
    size = int(rng.integers(3, 12))
    image, rgb = pixels(rng, mode, size)
    label = f"{mode} as {suffix}, {size} pixels, to {colour}"
    return Drawn(label, reading(image, suffix, size, colour), near(rgb, colour))


def pixels(rng: np.random.Generator, mode: str, size: int):
    """Draw an image of a mode, and its colours (size, size, 3) on white paper."""
    levels = rng.integers(0, 256, size=(size, size, 4)).astype(np.uint8)
    grey = np.repeat(levels[..., :1].astype(float), 3, -1)
    alpha = levels[..., -1:] / 255
    if mode == "1":
        return Image.fromarray(levels[..., 0]).point(over_half, "1"), 255 * (grey > 127)
    if mode == "L":
        return Image.fromarray(levels[..., 0]), grey
    if mode == "LA":
        both = np.ascontiguousarray(levels[..., [0, 3]])
        return Image.fromarray(both), grey * alpha + 255 * (1 - alpha)
    if mode == "P":
        palette = rng.integers(0, 256, size=(256, 3)).astype(np.uint8)
        image = Image.fromarray(levels[..., 0])
        image.putpalette(palette.tobytes())
        return image, palette[levels[..., 0]].astype(float)
    if mode == "RGBA":
        return Image.fromarray(levels), levels[..., :3] * alpha + 255 * (1 - alpha)
    if mode == "CMYK":
        ink, black = levels[..., :3] / 255, levels[..., 3:] / 255
        return Image.fromarray(levels, "CMYK"), 255 * (1 - ink) * (1 - black)
    if mode == "I;16":
        wide = rng.integers(0, 65536, size=(size, size)).astype(np.uint16)
        return Image.fromarray(wide), np.repeat(wide[..., None] / 257, 3, -1)
    rgb = np.ascontiguousarray(levels[..., :3])
    return Image.fromarray(rgb), rgb.astype(float)


def over_half(level: int) -> int:
    """Return white for the lighter half of the levels."""
    return 255 * (level > 127)


def flat(rng: np.random.Generator) -> Drawn:
    """Draw a picture of one colour: of any proportions, it stays that colour."""
    width, height, size = (int(n) for n in rng.integers(1, 40, size=3))
    level = rng.integers(0, 256, size=3).astype(np.uint8)
    image = Image.fromarray(np.tile(level, (height, width, 1)))
    rgb = np.tile(level.astype(float), (size, size, 1))
    colour = pick(rng, ["grey", "rgb"])
    label = f"{width} × {height} of {level.tolist()}, to {size} pixels, {colour}"
    return Drawn(label, reading(image, "png", size, colour), near(rgb, colour))


def turned(rng: np.random.Generator) -> Drawn:
    """Draw a picture that a camera held otherwise: EXIF says how to turn it."""
    orientation, size = pick(rng, TURNS), int(rng.integers(3, 12))
    levels = rng.integers(0, 256, size=(size, size, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = TURNS[orientation](levels.astype(float))
    label = f"{size} pixels, orientation {orientation}"
    ask = reading(Image.fromarray(levels), "png", size, "rgb", exif=exif)
    return Drawn(label, ask, near(rgb, "rgb"))


def foreign(rng: np.random.Generator) -> Drawn:
    """Draw what has no meaning as a picture."""
    size, scale = int(rng.integers(3, 12)), float(10.0 ** rng.integers(-2, 7))
    values = rng.normal(scale=scale, size=(size, size))
    levels = rng.integers(0, 256, size=(size, size)).astype(np.uint8)
    kind = pick(rng, ["floats", "32 bits", "a text", "nothing", "the first half"])
    label = f"{kind}, {size} pixels, scale {scale:g}"
    if kind in ("floats", "32 bits"):
        image = Image.fromarray(
            values.astype("float32" if kind == "floats" else "int32")
        )
        return Drawn(label, reading(image, "tif", size, "grey"), ("picture.tif",))

    def ask(folder):
        path = folder / "picture.png"
        Image.fromarray(levels).save(path)
        whole = path.read_bytes()
        parts = {"a text": b"no picture", "nothing": b""}
        path.write_bytes(parts.get(kind, whole[: len(whole) // 2]))
        return read_image(path, size, "grey")

    return Drawn(label, ask, ("picture.png",))


def reading(image: Image.Image, suffix: str, size: int, colour: str, **options):
    """Return what saves a picture and reads it."""

    def ask(folder):
        image.save(folder / f"picture.{suffix}", **options)
        return read_image(folder / f"picture.{suffix}", size, colour)

    return ask


def near(rgb: np.ndarray, colour: str):
    """Return what compares with colours (H, W, 3) as floats."""
    want = (rgb @ LUMA)[..., None] if colour == "grey" else rgb

    def close(found):
        assert found.dtype == np.uint8
        assert found.shape == want.shape
        assert np.abs(found - want).max() <= ROOM

    return close
