"""Few-shot classification tasks drawn from a set of images.

Task t of step k draws ``num_ways`` classes of a split without replacement, for each an
angle among 0°, 90°, 180° and 270° where the split is rotated, and ``num_shots +
num_queries`` different drawings.  A class turned is another class (Santoro et al., ICML
2016), so rotation multiplies the classes; a class and its rotations are on one side of
the splits, and an episode never holds two rotations of one class.  Classes come in
random order, so a label says nothing about the class.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy

from ..arguments import Brief, Settings, having, one_of, setting, truth, whole
from ..compute import Array, array_module, to_device
from .draws import Drawn
from .images import SPLITS, ImageSet
from .tasks import TaskBatch

ROTATED = {"none": (), "train": ("train",), "all": SPLITS}


@dataclass(frozen=True, eq=False, repr=False)
class Episodes(Brief, Drawn, Settings):
    """A TaskSource of N-way K-shot episodes.

    Images are (T, num_ways × num_shots, H, W, C) and (T, num_ways × num_queries, H, W,
    C) in [0, 1], labels int64, both ordered by label.

    Args:
        data: The images.
        num_ways: Classes per task.
        num_shots: Support images per class.
        num_queries: Query images per class; no drawing is in both sets.
        split_scheme: A scheme of the data; None takes its first.
        invert: Map white to 0 and black to 1, instead of black to 0 and white to 1.
        rotate: Which splits have their classes turned by multiples of 90°: ``"train"``,
            ``"all"`` or ``"none"``.  With ``"train"``, the usual choice for Omniglot,
            validation and test classes are upright.

    Raises:
        ValueError: If a split has fewer classes than ways, a class fewer drawings than
            shots + queries, an argument is unknown or below 1, or images that are not
            square are to be turned.
    """

    data: ImageSet = setting(having("classes", "open_dataset(path)"))
    num_ways: int = setting(whole())
    num_shots: int = setting(whole())
    num_queries: int = setting(whole())
    split_scheme: str | None = None
    invert: bool = setting(truth, False)
    rotate: str = setting(one_of(ROTATED), "train")

    task = "classification"

    def __post_init__(self):
        super().__post_init__()
        height, width, _ = self.input_shape
        if self.rotate != "none" and height != width:
            raise ValueError(
                f"images of {height}×{width} cannot be turned by 90°; use rotate='none'"
            )
        self._check_sizes()

    @cached_property
    def resident(self) -> "Episodes":
        """The same tasks, gathered on the current GPU, where the images then lie.

        Raises:
            RuntimeError: If there is none.
        """
        return ResidentEpisodes(*(getattr(self, f.name) for f in fields(self)))

    def _check_sizes(self):
        drawings = self.data.images.shape[1]
        needed = self.num_shots + self.num_queries
        if needed > drawings:
            raise ValueError(
                f"{self.num_shots} shots + {self.num_queries} queries need {needed} "
                f"drawings of a class, each class has {drawings}"
            )
        for split in SPLITS:
            classes = len(self.data.classes(self.scheme, split))
            if self.num_ways > classes:
                raise ValueError(
                    f"{self.num_ways} ways need as many classes, "
                    f"split {self.scheme}/{split} has {classes}; lower the ways, or "
                    "pack the data with another split"
                )

    @property
    def scheme(self) -> str:
        """The split scheme in use."""
        named = self.split_scheme
        return self.data.default_scheme if named is None else named

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.data.input_shape

    @property
    def num_outputs(self) -> int:
        return self.num_ways

    @property
    def digest(self) -> str:
        return self.data.digest

    def describe(self) -> dict[str, Any]:
        """Return what the episodes are drawn from, in plain types, for a record."""
        splits = {s: len(self.data.classes(self.scheme, s)) for s in SPLITS}
        return {
            "source": self.data.source,
            "digest": self.digest,
            "scheme": self.scheme,
            "scheme_note": self.data.split_notes.get(self.scheme, ""),
            **{f"{split}_classes": number for split, number in splits.items()},
            "num_ways": self.num_ways,
            "num_shots": self.num_shots,
            "num_queries": self.num_queries,
            "rotate": self.rotate,
            "invert": self.invert,
        }

    def classes_of(self, split: str, **where: Any) -> numpy.ndarray:
        """Return which class each label of ``sample``'s tasks is, indices (T, ways)."""
        return self._drawn(split, **where)[0]

    def _batch(self, drawn, dtype):
        classes, turns, drawings = drawn
        images = self._scale(self._gather(classes, drawings, turns), dtype)
        n = self.num_shots
        return TaskBatch(
            *self._labelled(images[:, :, :n]), *self._labelled(images[:, :, n:])
        )

    def _gather(self, classes, drawings, turns):
        """Return uint8 images (tasks, ways, per class, H, W, C), turned."""
        return turn(self.data.images[classes[:, :, None], drawings], turns)

    def _draw(self, split, rng):
        """Return classes (ways,), quarter turns (ways,), drawings (ways, per class)."""
        classes = self.data.classes(self.scheme, split)
        chosen = rng.choice(classes, self.num_ways, replace=False)
        turns = rng.integers(
            4 if split in ROTATED[self.rotate] else 1, size=self.num_ways
        )
        ranks = rng.random((self.num_ways, self.data.images.shape[1])).argsort(axis=1)
        return chosen, turns, ranks[:, : self.num_shots + self.num_queries]

    def _scale(self, pixels, dtype):
        """Map 0 … 255 to [0, 1]; inverted before, where integers are exact."""
        pixels = 255 - pixels if self.invert else pixels
        return pixels.astype(dtype) / numpy.dtype(dtype).type(255)

    def _labelled(self, images):
        """Flatten (T, ways, n, H, W, C) to (T, ways × n, H, W, C), with labels."""
        num_tasks, ways, each = images.shape[:3]
        xp = array_module(images)
        labels = xp.tile(xp.repeat(xp.arange(ways), each), (num_tasks, 1))
        shape = (num_tasks, ways * each, *self.input_shape)
        return images.reshape(shape), labels


def turn(pixels: numpy.ndarray, turns: numpy.ndarray) -> numpy.ndarray:
    """Turn images (T, ways, n, H, W, C) anticlockwise by quarter turns (T, ways)."""
    turned = pixels.copy()
    for quarter in numpy.unique(turns[turns > 0]):
        chosen = turns == quarter
        turned[chosen] = numpy.rot90(pixels[chosen], quarter, axes=(2, 3))
    return turned


@dataclass(frozen=True, eq=False, repr=False)
class ResidentEpisodes(Episodes):
    """Episodes whose images lie on a GPU as uint8; what they hold is drawn on the host.

    Indices go there, images are gathered, turned and scaled there.
    """

    def __post_init__(self):
        super().__post_init__()
        _ = self._images  # a device that is absent or full says so here

    @cached_property
    def _images(self) -> Array:
        """The images, (class × instance, H, W, C)."""
        images = self.data.images
        return to_device(images.reshape(-1, *images.shape[2:]))

    def _gather(self, classes, drawings, turns):
        rows = classes[:, :, None] * self.data.images.shape[1] + drawings
        pixels = self._images.take(to_device(rows), axis=0)
        return turn_by_choice(pixels, to_device(turns))


def turn_by_choice(pixels: Array, turns: Array) -> Array:
    """Turn as ``turn`` does, every image by every angle: a device asks for no list."""
    xp, turned = array_module(pixels), pixels
    if pixels.shape[3] != pixels.shape[4]:
        return pixels  # never turned
    for quarter in (1, 2, 3):
        chosen = (turns == quarter)[:, :, None, None, None, None]
        turned = xp.where(chosen, xp.rot90(pixels, quarter, axes=(3, 4)), turned)
    return turned
