"""Labelled images with their splits: what a data set is, wherever it came from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy

from ..arguments import Brief
from ..compute import check_array

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet(Brief):
    """Images by class and instance, and which classes are for what.

    Args:
        images: uint8, (class, instance, H, W, C), 0 to 255.
        class_names: One name per class.
        splits: ``{scheme: {"train" | "val" | "test": class indices}}``, one scheme or
            more.  Splits of a scheme share no class; a class may be in none of them.
        source: Where the images came from, in words.
        resize_filter: How they were brought to size, such as ``"lanczos"``.
        polarity: What the values mean, such as ``"ink 0, paper 255"``.
        split_notes: How the classes of each scheme were chosen, seed included.

    Raises:
        TypeError: If images or splits are no arrays.
        ValueError: If the images are not uint8 of five axes, there are too few or many
            class names, or a split is absent, out of range or shares a class.
    """

    images: numpy.ndarray
    class_names: tuple[str, ...]
    splits: Mapping[str, Mapping[str, numpy.ndarray]]
    source: str
    resize_filter: str
    polarity: str
    split_notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        x = self.images
        check_array("images", x)
        if x.dtype != numpy.uint8 or x.ndim != 5 or 0 in x.shape:
            raise ValueError(
                "images must be uint8 of shape (class, instance, H, W, C), "
                f"got {x.dtype} {x.shape}"
            )
        if len(self.class_names) != len(x):
            raise ValueError(
                f"{len(self.class_names)} class names for {len(x)} classes"
            )
        if not self.splits:
            raise ValueError("the images have no split scheme; one is needed")
        for scheme, splits in self.splits.items():
            check_splits(scheme, splits, len(x))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over shape and pixels, hexadecimal."""
        sha = hashlib.sha256(f"uint8 {self.images.shape}".encode())
        sha.update(numpy.ascontiguousarray(self.images).data)
        return sha.hexdigest()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        _, _, height, width, channels = self.images.shape
        return height, width, channels

    @property
    def default_scheme(self) -> str:
        """The first scheme: the one that is used where none is named."""
        return next(iter(self.splits))

    def classes(self, scheme: str, split: str) -> numpy.ndarray:
        """Return the class indices of a split, (number of classes,).

        Raises:
            ValueError: If there is no such scheme or split.
        """
        if scheme not in self.splits:
            raise ValueError(
                f"unknown split scheme {scheme!r}; there is {', '.join(self.splits)}"
            )
        if split not in self.splits[scheme]:
            raise ValueError(f"unknown split {split!r}; expected {', '.join(SPLITS)}")
        return self.splits[scheme][split]


def check_splits(
    scheme: str, splits: Mapping[str, numpy.ndarray], num_classes: int
) -> None:
    """Check that the splits of a scheme exist, are in range and share no class.

    Raises:
        TypeError: If one is no array.
        ValueError: If they do not.
    """
    if set(splits) != set(SPLITS):
        raise ValueError(
            f"split scheme {scheme!r} must have {', '.join(SPLITS)}, "
            f"got {', '.join(splits) or 'nothing'}"
        )
    for name, classes in splits.items():
        check_array(f"split {scheme}/{name}", classes)
        if classes.ndim != 1 or not numpy.issubdtype(classes.dtype, numpy.integer):
            raise ValueError(
                f"split {scheme}/{name} must be a list of class indices, "
                f"got {classes.dtype} {classes.shape}"
            )
        if not len(classes) or classes.min() < 0 or classes.max() >= num_classes:
            raise ValueError(
                f"split {scheme}/{name} must name classes 0 to {num_classes - 1}, "
                f"got {span(classes)}"
            )
        if len(numpy.unique(classes)) != len(classes):
            raise ValueError(f"split {scheme}/{name} names a class twice")
    for one, other in combinations(SPLITS, 2):
        shared = numpy.intersect1d(splits[one], splits[other])
        if len(shared):
            raise ValueError(
                f"splits {one} and {other} of scheme {scheme!r} share "
                f"{len(shared)} classes, class {shared[0]} first: test classes must be "
                "unseen"
            )


def span(classes: numpy.ndarray) -> str:
    """Say which range class indices are in."""
    return f"{classes.min()} to {classes.max()}" if len(classes) else "none"
