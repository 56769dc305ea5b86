"""Which classes of a data set are for training, validation and test."""

import numbers
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from imaml_ref.data import SPLITS

# Three fractions of sum 1, three numbers of classes, or the names of the classes.
Split = Sequence[Any]
FRACTIONS = (0.64, 0.16, 0.2)
FORMS = (
    "three fractions of sum 1, three numbers of classes, or three files of class names"
)


def parse_split(text: str) -> Split:
    """Return what ``"0.6,0.2,0.2"``, ``"8,2,2"`` or ``"a.txt,b.txt,c.txt"`` means.

    The files name one class a line.

    Raises:
        ValueError: If it means nothing, or a file cannot be read.
    """
    parts = [part.strip() for part in text.split(",")]
    for number in (int, float):
        try:
            return tuple(map(number, parts))
        except ValueError:
            continue
    try:
        return tuple(read_names(Path(part)) for part in parts)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the split must be {FORMS}, got {text!r}: {error}") from error


def read_names(path: Path) -> list[str]:
    """Return the lines of a text file that are not empty."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def split_classes(
    names: Sequence[str], split: Split, seed: int
) -> tuple[str, dict[str, numpy.ndarray], str]:
    """Return a split scheme: its name, its classes as indices, how they were chosen.

    Args:
        names: Of all classes.
        split: Three fractions of sum 1 or three numbers of classes, which are then
            drawn; or three lists of names.
        seed: Of the permutation that classes are drawn by.

    Raises:
        ValueError: If the split is none of these, or does not fit the classes.
    """
    if len(split) == 3 and not any(isinstance(p, str | numbers.Real) for p in split):
        return "named", by_name(names, split), "by name"
    train, val, test = sizes_of(split, len(names))
    return "random", *draw(train, val, test, seed)


def draw(
    train: int, val: int, test: int, seed: int
) -> tuple[dict[str, numpy.ndarray], str]:
    """Return numbers of classes in a permutation that a seed fixes, and how it was."""
    total = train + val + test
    order = numpy.random.default_rng(seed).permutation(total)
    parts = numpy.split(order, [train, train + val])
    note = (
        f"in the order of numpy.random.default_rng({seed})"
        f".permutation({total}): train, val, test"
    )
    return dict(zip(SPLITS, parts, strict=True)), note


def sizes_of(split: Split, num_classes: int) -> list[int]:
    """Return the numbers of classes of train, val and test.

    Raises:
        ValueError: If they are not positive, or not all classes together.
    """
    numeric = all(isinstance(part, numbers.Real) for part in split)
    if len(split) != 3 or not numeric or not min(split) > 0:
        raise ValueError(f"the split must be {FORMS}, all positive, got {split}")
    if all(isinstance(part, numbers.Integral) for part in split):
        if sum(split) != num_classes:
            raise ValueError(
                f"the split {split} has {sum(split)} classes, there are {num_classes}"
            )
        return [int(part) for part in split]
    if abs(sum(split) - 1) > 1e-6:
        raise ValueError(f"the split must be {FORMS}, got {split} of sum {sum(split)}")
    val, test = (max(1, round(part * num_classes)) for part in split[1:])
    if val + test >= num_classes:
        raise ValueError(
            f"{num_classes} classes are too few for train, val and test; "
            "at least three are needed"
        )
    return [num_classes - val - test, val, test]


def by_name(
    names: Sequence[str], split: Sequence[Sequence[str]]
) -> dict[str, numpy.ndarray]:
    """Return the indices of the classes that are named; the others are in no split.

    Raises:
        ValueError: If there is no class of a name.
    """
    index = {name: i for i, name in enumerate(names)}
    unknown = [name for part in split for name in part if name not in index]
    if unknown:
        raise ValueError(
            f"the split names {unknown[0]!r}, which is none of the {len(names)} "
            f"classes {names[0]!r} to {names[-1]!r}"
        )
    parts = (numpy.array([index[name] for name in part], int) for part in split)
    return dict(zip(SPLITS, parts, strict=True))
