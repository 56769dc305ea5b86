"""Images by class, from whatever yields them, as one array: counted, and of one shape.

A picture is a function without arguments, which reads one image when it is called.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy

from imaml_ref.files import check_writable

from .progress import track

Picture = Callable[[], numpy.ndarray]
Classes = dict[str, list[Picture]]


def demand(holds: Any, otherwise: str) -> None:
    """Refuse what does not hold.

    Raises:
        ValueError: If it does not.
    """
    if not holds:
        raise ValueError(otherwise)


def check_new(dst: Path) -> None:
    """Check that a file can be written, and that there is none yet."""
    check_writable(dst)
    demand(not dst.exists(), f"{dst} is there; move it away, or name another file")


def gather(
    classes: Classes, splits: Mapping, shape: tuple[int, ...], per_class: int | None
) -> tuple[numpy.ndarray, str]:
    """Return images (class, instance, *shape), uint8, and what was counted meanwhile.

    An image that cannot be read is passed over, unless its class then has too few.
    """
    number, names = number_per_class(classes, per_class), list(classes)
    images = numpy.empty((len(classes), number, *shape), numpy.uint8)
    split_of = {int(c): split for split in splits for c in splits[split]}
    first: dict[bytes, int] = {}
    filled, unread, twice, across = [0] * len(classes), [], 0, 0
    every = [(c, p) for c, pictures in enumerate(classes.values()) for p in pictures]
    for c, picture in track(every, len(every), "packing images"):
        if filled[c] == number:
            continue
        try:
            image = picture()
        except ValueError as error:
            unread.append(str(error))
            continue
        expected = f"expected {shape} (height, width, channels); see --size"
        got = f"class {names[c]!r} has an image of shape {image.shape}"
        demand(image.shape == shape, f"{got}, {expected}")
        images[c, filled[c]] = image
        filled[c] += 1
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        twice += digest in first
        before = first.setdefault(digest, c)
        across += split_of.get(before) != split_of.get(c)
    few, bad = min(filled), len(unread)
    left = f"class {names[filled.index(few)]!r} is left with {few} of {number} images"
    why = f"{bad} cannot be read, first: {''.join(unread[:1])}; mend them"
    less = f", or take fewer: per_class={few}, on the command line --per-class {few}"
    demand(few == number, f"{left}; {why}{less if few else ''}")
    kept = f"{sum(filled)} images, {twice} of them duplicates ({across} across splits)"
    others = len(every) - sum(filled) - bad
    return images, f"{kept}; left out: {bad} unreadable, {others} others"


def number_per_class(classes: Classes, per_class: int | None) -> int:
    """Return how many images of each class there are to be, one at least."""
    fewest = min(classes, key=lambda name: len(classes[name]))
    most = max(classes, key=lambda name: len(classes[name]))
    low, high = len(classes[fewest]), len(classes[most])
    demand(low, f"class {fewest!r} has no image; expected some in every class")
    demand(
        per_class is not None or low == high,
        f"classes must have equally many images, but {fewest!r} has {low} and "
        f"{most!r} {high}; add images, or take the first {low} with "
        f"per_class={low}, on the command line --per-class {low}",
    )
    number = low if per_class is None else per_class
    demand(number > 0, f"images per class must be at least 1, got {number}")
    asked = f"{number} images per class were asked for"
    demand(number <= low, f"{asked}, class {fewest!r} has {low}")
    return number
