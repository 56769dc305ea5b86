"""Alphabets and characters of our own invention: strokes on a plane.

A stroke is one of ten kinds of curve, turned and scaled; a character is a few strokes
of different kinds, each in its own place; an alphabet prefers some kinds, and has its
own number and size of strokes and its own pen.
"""

from dataclasses import dataclass

import numpy

POINTS = 64  # on a stroke


@dataclass(frozen=True)
class Style:
    """What the characters of an alphabet have in common.

    Args:
        taste: Probability of each kind of stroke, (kinds,).
        fewest: Smallest number of strokes; a character may have one more.
        size: Size of a stroke, in half-sizes of a character.
        pen: Width of the brush, its standard deviation in pixels.
    """

    taste: numpy.ndarray
    fewest: int
    size: float
    pen: float


def new_style(rng: numpy.random.Generator) -> Style:
    """Return the style of a new alphabet."""
    return Style(
        # A little of everything, so that there are always enough kinds to choose from.
        taste=0.98 * rng.dirichlet(numpy.ones(len(KINDS))) + 0.02 / len(KINDS),
        fewest=int(rng.integers(2, 4)),
        size=rng.uniform(0.6, 1.0),
        pen=rng.uniform(0.5, 0.85),
    )


def new_character(rng: numpy.random.Generator, style: Style) -> numpy.ndarray:
    """Return the strokes of a new character, (strokes, POINTS, x y), in [−1, 1]².

    Strokes are centred on different cells of a 3 × 3 grid, so that they do not cover
    each other, and the longer side of their box is [−1, 1].
    """
    number = style.fewest + rng.integers(2)
    kind = rng.choice(len(KINDS), number, p=style.taste, replace=False)
    cells = rng.choice(9, number, replace=False)
    centre = numpy.stack([cells % 3, cells // 3], axis=-1) - 1.0
    centre += rng.uniform(-0.25, 0.25, centre.shape)
    size = style.size * rng.uniform(0.8, 1.2, number)
    angle = rng.uniform(0, 2 * numpy.pi, number)
    strokes = KINDS[kind] @ affine(angle, size, size) + centre[:, None]
    points = strokes.reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    return 2 * (strokes - (low + high) / 2) / (high - low).max()


def affine(angle, width, height) -> numpy.ndarray:
    """Return matrices (..., 2, 2) that scale, then turn, row vectors (x, y)."""
    cos, sin = numpy.cos(angle), numpy.sin(angle)
    rows = [[width * cos, width * sin], [-height * sin, height * cos]]
    return numpy.stack([numpy.stack(row, axis=-1) for row in rows], axis=-2)


def kinds() -> numpy.ndarray:
    """Return the kinds of stroke, (kinds, POINTS, x y), each about [−1, 1] wide."""
    t = (numpy.arange(POINTS) + 0.5) / POINTS
    u, angle = 2 * t - 1, 2 * numpy.pi * t
    there_and_back = numpy.abs(triangle(2 * angle))
    quarter = numpy.floor(4 * t) * numpy.pi / 2
    curves = {
        "line": (u, 0 * u),
        "arc": (numpy.cos(angle / 2), numpy.sin(angle / 2) - 0.5),
        "loop": (0.8 * numpy.cos(angle), 0.8 * numpy.sin(angle)),
        "wave": (u, 0.4 * numpy.sin(2 * angle)),
        "corner": (u, 1.4 * numpy.abs(u) - 0.7),
        "spiral": (t * numpy.cos(2 * angle), t * numpy.sin(2 * angle)),
        "dot": (0.12 * numpy.cos(angle), 0.12 * numpy.sin(angle)),
        "disc": (0.45 * t * numpy.cos(3 * angle), 0.45 * t * numpy.sin(3 * angle)),
        "zigzag": (u, 0.5 * triangle(3.5 * angle)),
        "cross": (
            there_and_back * numpy.cos(quarter),
            there_and_back * numpy.sin(quarter),
        ),
    }
    return numpy.stack([numpy.stack(xy, axis=-1) for xy in curves.values()])


def triangle(angle: numpy.ndarray) -> numpy.ndarray:
    """Return a triangle wave of period 2π between −1 and 1."""
    return 2 / numpy.pi * numpy.arcsin(numpy.sin(angle))


KINDS = kinds()
