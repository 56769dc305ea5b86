"""Procedurally drawn alphabets: few-shot classification with no file at all.

An alphabet prefers some kinds of stroke (line, arc, loop, wave, corner, spiral, dot), a
character is a few strokes of these kinds, each with its place, size and direction, and
a drawing is the character in one hand: every stroke a little out of place, the whole
turned, sheared, scaled and shifted, and drawn with a pen of some width.

The pen is a Gaussian brush moved along the strokes.  With points (x_k, y_k) on them,
and w_k the length of stroke that each stands for, the paint on the pixel of row i and
column j is

    a_ij = Σ_k w_k exp(−((i − y_k)² + (j − x_k)²) / 2s²) / (s √2π)                   (1)

The brush is separable, so (1) is one matrix product per image.  Beside a straight
stroke it is exp(−d²/2s²) at distance d, whatever the spacing of the points.  Paint
saturates, ink = min(1, 1.6 a), and its soft edge, about a pixel wide, is the
anti-aliasing.

Everything follows from one seed.  Values are like those of Omniglot: paper 255, ink 0.
"""

from dataclasses import dataclass

import numpy

from .images import ImageSet

SIZE = 28  # pixels
HALF = 9.5  # pixels: half the longer side of a character
SHARES = {"train": 0.65, "val": 0.1, "test": 0.25}  # of the alphabets


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
        pen: Smallest and largest s of (1), pixels.
    """

    place: float = 0.07
    twist: float = 0.12
    size: float = 0.1
    turn: float = 0.14
    shear: float = 0.12
    scale: float = 0.1
    shift: float = 1.6
    pen: tuple[float, float] = (0.45, 0.75)


STEADY = Hand()


def glyph_alphabets(
    seed: int = 0,
    *,
    num_alphabets: int = 60,
    num_characters: int = 10,
    num_drawings: int = 20,
    hand: Hand = STEADY,
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
    """
    rng = numpy.random.default_rng(seed)
    images, names = [], []
    for alphabet in range(num_alphabets):
        taste = rng.dirichlet(numpy.full(len(KINDS), 0.7))
        for character in range(num_characters):
            strokes = invent(rng, taste)
            images.append(draw(rng, strokes, num_drawings, hand))
            names.append(f"Glyphs{alphabet + 1:02d}/character{character + 1:02d}")
    return ImageSet(
        numpy.stack(images)[..., None],
        tuple(names),
        {"alphabets": split_alphabets(num_alphabets, num_characters)},
        source=f"glyph_alphabets(seed={seed})",
        resize_filter="none",
        polarity="ink 0, paper 255",
        split_notes={"alphabets": "whole alphabets, in the order drawn"},
    )


def split_alphabets(num_alphabets: int, num_characters: int) -> dict:
    """Return the classes of train, val and test, whole alphabets each."""
    ends = numpy.cumsum([round(s * num_alphabets) for s in SHARES.values()])[:-1]
    classes = numpy.arange(num_alphabets * num_characters)
    return dict(zip(SHARES, numpy.split(classes, ends * num_characters), strict=True))


def kinds(num_points: int = 40) -> numpy.ndarray:
    """Return the kinds of stroke, (kinds, num_points, x y), each about [−1, 1] wide."""
    t = (numpy.arange(num_points) + 0.5) / num_points
    u, angle = 2 * t - 1, 2 * numpy.pi * t
    xy = {
        "line": (u, 0 * u),
        "arc": (numpy.cos(angle / 2), numpy.sin(angle / 2) - 0.5),
        "loop": (0.8 * numpy.cos(angle), 0.8 * numpy.sin(angle)),
        "wave": (u, 0.45 * numpy.sin(1.5 * angle)),
        "corner": (u, numpy.abs(u) - 0.5),
        "spiral": (t * numpy.cos(1.7 * angle), t * numpy.sin(1.7 * angle)),
        "dot": (0.12 * numpy.cos(angle), 0.12 * numpy.sin(angle)),
    }
    return numpy.stack([numpy.stack(p, axis=-1) for p in xy.values()])


KINDS = kinds()


def invent(rng, taste: numpy.ndarray) -> numpy.ndarray:
    """Return the strokes of a new character, (strokes, points, 2), in [−1, 1]².

    Strokes are centred on different cells of a 3 × 3 grid, so that they do not cover
    each other.
    """
    number = rng.integers(2, 5)
    kind = rng.choice(len(KINDS), number, p=taste)
    cells = rng.choice(9, number, replace=False)
    centre = numpy.stack([cells % 3, cells // 3], axis=-1) - 1.0
    centre += rng.uniform(-0.25, 0.25, centre.shape)
    size = rng.uniform(0.5, 1.1, number)
    angle = rng.uniform(0, 2 * numpy.pi, number)
    strokes = KINDS[kind] @ affine(angle, size, size) + centre[:, None]
    points = strokes.reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    return 2 * (strokes - (low + high) / 2) / (high - low).max()


def draw(rng, strokes: numpy.ndarray, num_drawings: int, hand: Hand) -> numpy.ndarray:
    """Return drawings (drawings, SIZE, SIZE), uint8, of one character."""
    shape = (num_drawings, len(strokes))
    centre = strokes.mean(1, keepdims=True)
    size = numpy.exp(hand.size * rng.normal(size=shape))
    own = affine(hand.twist * rng.normal(size=shape), size, size)
    moved = centre + hand.place * rng.normal(size=(*shape, 1, 2))
    points = (strokes - centre) @ own + moved
    width, height = HALF * numpy.exp(hand.scale * rng.normal(size=(2, num_drawings)))
    whole = affine(hand.turn * rng.normal(size=num_drawings), width, height)
    whole[:, 1, 0] += height * hand.shear * rng.normal(size=num_drawings)
    shift = (SIZE - 1) / 2 + hand.shift * rng.normal(size=(num_drawings, 1, 1, 2))
    pen = rng.uniform(*hand.pen, size=(num_drawings, 1, 1))
    return paint(points @ whole[:, None] + shift, pen)


def affine(angle, width, height) -> numpy.ndarray:
    """Return matrices (..., 2, 2) that scale, then turn, row vectors (x, y)."""
    cos, sin = numpy.cos(angle), numpy.sin(angle)
    rows = [[width * cos, width * sin], [-height * sin, height * cos]]
    return numpy.stack([numpy.stack(row, axis=-1) for row in rows], axis=-2)


def paint(strokes: numpy.ndarray, pen: numpy.ndarray) -> numpy.ndarray:
    """Return uint8 images (drawings, SIZE, SIZE) of (1): black ink, white paper.

    Args:
        strokes: Points (drawings, strokes, K, x y), pixels.
        pen: s of (1), (drawings, 1, 1), pixels.
    """
    steps = numpy.linalg.norm(numpy.gradient(strokes, axis=2), axis=-1)
    points = strokes.reshape(len(strokes), -1, 2).astype(numpy.float32)
    weight = (steps.reshape(len(strokes), -1, 1) / pen).astype(numpy.float32)
    pixel = numpy.arange(SIZE, dtype=numpy.float32)
    x, y = (
        numpy.exp(-((pixel - points[..., axis, None]) ** 2) / (2 * pen**2))
        for axis in (0, 1)
    )
    amount = (weight * y).swapaxes(1, 2) @ x / numpy.sqrt(2 * numpy.pi)
    ink = numpy.minimum(1, 1.6 * amount)
    return (255 - 255 * ink).round().astype(numpy.uint8)
