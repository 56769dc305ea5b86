"""Procedurally drawn alphabets: few-shot classification with no file at all.

Characters are those of strokes.py.  A drawing is a character in one hand: every stroke
a little out of place, the whole turned, sheared, scaled and shifted, drawn with a pen
of some width and pressed more or less.  Drawings of one character therefore share few
pixels, though the eye knows them at once.

The pen is a Gaussian brush moved along the strokes.  With points (x_k, y_k) on them,
and w_k the length of stroke that each stands for, the paint on the pixel of row i and
column j is

    a_ij = Σ_k w_k exp(−((i − y_k)² + (j − x_k)²) / 2s²) / (s √2π)                   (1)

The brush is separable, so (1) is one matrix product per image.  Beside a straight
stroke it is exp(−d²/2s²) at distance d, whatever the spacing of the points.  Paint
saturates: ink = pressure · min(1, 1.6 a), and its soft edge, about a pixel wide, is the
anti-aliasing.

Everything follows from one seed.  Values are like those of Omniglot: paper 255, full
ink 0.
"""

from dataclasses import dataclass

import numpy

from ..arguments import whole
from .images import SPLITS, ImageSet
from .strokes import Style, affine, new_character, new_style

SIZE = 28  # pixels
HALF = 9.5  # pixels: half the longer side of a character
SHARES = (0.65, 0.1, 0.25)  # of the alphabets, for train, val and test


@dataclass(frozen=True)
class Hand:
    """How much the drawings of a character differ: standard deviations, unless said.

    Args:
        place: Displacement of a stroke, in half-sizes of the character.
        twist: Rotation of a stroke, radians.
        size: Logarithm of the size of a stroke.
        turn: Rotation of the whole, radians.
        shear: Slant of the whole, tangent of the angle.
        scale: Logarithm of width and of height.
        shift: Displacement of the whole, pixels.
        pen: Range of the width of the pen, times that of the alphabet.
        pressure: Range of the darkness of the ink, 1 is black.
    """

    place: float = 0.05
    twist: float = 0.08
    size: float = 0.07
    turn: float = 0.12
    shear: float = 0.1
    scale: float = 0.09
    shift: float = 1.0
    pen: tuple[float, float] = (0.85, 1.15)
    pressure: tuple[float, float] = (0.3, 1.0)


USUAL = Hand()


def glyph_alphabets(
    seed: int = 0,
    *,
    num_alphabets: int = 60,
    num_characters: int = 10,
    num_drawings: int = 20,
    hand: Hand = USUAL,
) -> ImageSet:
    """Draw alphabets; train, val and test have different ones.

    Args:
        seed: Everything follows from it.
        num_alphabets: Alphabets: 65 % for training, 10 % validation, 25 % test.
        num_characters: Characters of each alphabet.
        num_drawings: Drawings of each character.
        hand: How much the drawings of a character differ.

    Returns:
        Images (alphabets × characters, drawings, 28, 28, 1) with one split scheme,
        ``"alphabets"``.

    Raises:
        ValueError: If there are too few alphabets to have one in each split, or a
            number is no integer in its range.
    """
    seed = whole(0)("seed", seed)
    num_alphabets = whole()("num_alphabets", num_alphabets)
    num_characters = whole()("num_characters", num_characters)
    num_drawings = whole()("num_drawings", num_drawings)
    rng = numpy.random.default_rng(seed)
    splits = split_alphabets(num_alphabets, num_characters)
    images, names = [], []
    for alphabet in range(num_alphabets):
        style = new_style(rng)
        for character in range(num_characters):
            strokes = new_character(rng, style)
            images.append(draw(rng, strokes, style, num_drawings, hand))
            names.append(f"Glyphs{alphabet + 1:02d}/character{character + 1:02d}")
    return ImageSet(
        numpy.stack(images)[..., None],
        tuple(names),
        {"alphabets": splits},
        source=f"glyph_alphabets(seed={seed})",
        resize_filter="none",
        polarity="ink 0, paper 255",
        split_notes={"alphabets": "whole alphabets, in the order drawn"},
    )


def split_alphabets(
    num_alphabets: int, num_characters: int
) -> dict[str, numpy.ndarray]:
    """Return the classes of train, val and test, whole alphabets each.

    Raises:
        ValueError: If one of them would have no alphabet.
    """
    val, test = (max(1, round(s * num_alphabets)) for s in SHARES[1:])
    if val + test >= num_alphabets:
        raise ValueError(f"at least 3 alphabets are needed, got {num_alphabets}")
    ends = numpy.array([num_alphabets - val - test, num_alphabets - test])
    classes = numpy.arange(num_alphabets * num_characters)
    parts = numpy.split(classes, ends * num_characters)
    return dict(zip(SPLITS, parts, strict=True))


def draw(
    rng: numpy.random.Generator,
    strokes: numpy.ndarray,
    style: Style,
    num_drawings: int,
    hand: Hand,
) -> numpy.ndarray:
    """Return drawings (drawings, SIZE, SIZE), uint8, of one character."""
    each = (num_drawings, 1, 1)
    points = move(rng, displace(rng, strokes, num_drawings, hand), hand)
    pen = style.pen * rng.uniform(*hand.pen, size=each)
    pressure = rng.uniform(*hand.pressure, size=each)
    return (255 - 255 * pressure * paint(points, pen)).round().astype(numpy.uint8)


def displace(
    rng: numpy.random.Generator, strokes: numpy.ndarray, num_drawings: int, hand: Hand
) -> numpy.ndarray:
    """Return the strokes, each moved on its own, (drawings, strokes, points, 2)."""
    shape = (num_drawings, len(strokes))
    centre = strokes.mean(1, keepdims=True)
    size = numpy.exp(hand.size * rng.normal(size=shape))
    own = affine(hand.twist * rng.normal(size=shape), size, size)
    moved = centre + hand.place * rng.normal(size=(*shape, 1, 2))
    return (strokes - centre) @ own + moved


def move(
    rng: numpy.random.Generator, strokes: numpy.ndarray, hand: Hand
) -> numpy.ndarray:
    """Return drawings in pixels, each turned, sheared, scaled and shifted whole."""
    number = len(strokes)
    width, height = HALF * numpy.exp(hand.scale * rng.normal(size=(2, number)))
    whole = affine(hand.turn * rng.normal(size=number), width, height)
    whole[:, 1, 0] += height * hand.shear * rng.normal(size=number)
    shift = hand.shift * rng.normal(size=(number, 1, 1, 2))
    return strokes @ whole[:, None] + (SIZE - 1) / 2 + shift


def paint(strokes: numpy.ndarray, pen: numpy.ndarray) -> numpy.ndarray:
    """Return min(1, 1.6 a) of (1), (drawings, SIZE, SIZE), float32.

    Args:
        strokes: Points (drawings, strokes, points, x y), pixels.
        pen: s of (1), (drawings, 1, 1), pixels.
    """
    steps = numpy.linalg.norm(numpy.gradient(strokes, axis=2), axis=-1)
    points = strokes.reshape(len(strokes), -1, 2).astype(numpy.float32)
    weight = (steps.reshape(len(strokes), -1, 1) / pen).astype(numpy.float32)
    narrow = (0.5 / pen**2).astype(numpy.float32)
    pixel = numpy.arange(SIZE, dtype=numpy.float32)
    x, y = (
        numpy.exp(-narrow * (pixel - points[..., axis, None]) ** 2) for axis in (0, 1)
    )
    amount = (weight * y).swapaxes(1, 2) @ x / numpy.sqrt(2 * numpy.pi)
    return numpy.minimum(1, 1.6 * amount).astype(numpy.float32)
