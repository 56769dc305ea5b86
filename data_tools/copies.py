"""The forms in which data sets circulate, read: each yields the pictures of classes.

A reader gets the files of one split, all files beside them, and the size of images in
pixels.  What has another structure is refused.
"""

import csv
import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy

from .archives import Files, Member
from .gather import Classes, Picture, demand
from .pictures import read_as_it_is, read_image
from .plain_pickle import PlainUnpickler, array_of

MOST_LABELS = 100  # classes of every data set whose files have data and labels
LOADERS: dict[str, Any] = {
    ".csv": lambda s: list(csv.reader(s.read().decode("utf-8-sig").splitlines())),
    ".json": json.load,
    ".npy": numpy.load,
    ".npz": lambda stream: dict(numpy.load(stream)),
    ".pickle": lambda stream: PlainUnpickler(stream).load(),
    ".pkl": lambda stream: PlainUnpickler(stream).load(),
    ".txt": lambda stream: stream.read().decode("utf-8-sig").split(),
}


def load(member: Member) -> Any:
    """Return what is in a file, by its suffix.

    Raises:
        ValueError: If it cannot be read, or is a pickle of anything but plain data.
    """
    suffix = PurePosixPath(member.name).suffix
    try:
        with member.open("rb") as stream:
            return LOADERS[suffix](stream)
    except Exception as error:  # an unpickler raises whatever it runs into
        said = " ".join(ascii(str(error))[1:-1].split())
        want = f"a whole {suffix} file of plain arrays, numbers, texts and lists"
        raise ValueError(f"{member} cannot be read: {said}; expected {want}") from error


def texts(found: Any) -> list[str]:
    """Return names that were written as texts, as bytes or as numbers."""
    is_list = isinstance(found, list | tuple)
    names = found if is_list else numpy.atleast_1d(array_of(found)).tolist()
    return [n.decode("latin1") if isinstance(n, bytes) else str(n) for n in names]


def entries(member: Member, *keys: str) -> list[Any]:
    """Return what is under some keys, texts or bytes, of the dictionary in a file."""
    found = load(member)
    has = found if isinstance(found, dict) else {}
    named = dict(zip(texts(list(has)), has.values(), strict=True))
    wanted = f"{member} must hold a dictionary with {', '.join(keys)}, it has "
    demand(set(keys) <= set(named), wanted + (", ".join(list(named)[:8]) or "none"))
    return [named[key] for key in keys]


def integers(found: Any, below: int, what: str, number: int | None = None):
    """Return whole numbers from 0 to one less than ``below``, (N,)."""
    values = array_of(found)
    is_list = values.ndim == 1 and (values.dtype.kind in "iu" or not values.size)
    demand(is_list, f"{what} must be integers")
    demand(number in (None, len(values)), f"{what} are {len(values)}, not {number}")
    wrong = values[(values < 0) | (values >= below)]
    demand(not wrong.size, f"{what} must be from 0 to {below - 1}, got {wrong[:1]}")
    return values.astype(int)


def pictures_in(images: Any, member: Member) -> list[Picture]:
    """Return the images of an array uint8 (N, H, W, C) one by one."""
    pixels = array_of(images)
    fits = pixels.dtype == numpy.uint8 and pixels.ndim == 4
    got = f"{member} must hold images uint8 (N, H, W, C), it has {pixels.dtype} "
    demand(fits, f"{got}{pixels.shape}")
    return [partial(pixels.__getitem__, i) for i in range(len(pixels))]


def by_index(pictures: Sequence[Picture], classes: dict, member: Member) -> Classes:
    """Return the pictures whose indices each class names."""
    taken, out = numpy.zeros(len(pictures), bool), {}
    for name, found in zip(texts(list(classes)), classes.values(), strict=True):
        what = f"{member}: images of class {name!a}"
        rows = integers(found, len(pictures), what)
        once = len(numpy.unique(rows)) == len(rows) and not taken[rows].any()
        demand(once, f"{what} must be named once, one was named before")
        taken[rows] = True
        out[name] = [pictures[i] for i in rows]
    return out


def with_indices(found: list[Member], files: Files, size: int) -> Classes:
    """Read images and {name: indices}, in one pickle, or in NumPy's file and JSON."""
    one = len(found) == 1
    keys = "image_data", "class_dict"
    images, classes = entries(found[0], *keys) if one else map(load, found)
    demand(isinstance(classes, dict), f"{found[-1]} must hold a dictionary of classes")
    return by_index(pictures_in(images, found[0]), classes, found[-1])


def with_labels(found: list[Member], files: Files, size: int) -> Classes:
    """Read a pickle of ``data`` and ``labels``, a number for each image."""
    images, labels = entries(found[0], "data", "labels")
    pictures = pictures_in(images, found[0])
    what = f"{found[0]}: labels of images"
    numbers = integers(labels, MOST_LABELS, what, len(pictures))
    classes = {c: numpy.flatnonzero(numbers == c) for c in numpy.unique(numbers)}
    return by_index(pictures, classes, found[0])


def tiered(found: list[Member], files: Files, size: int) -> Classes:
    """Read tieredImageNet: PNG in a list, or an array of BGR; labels beside it.

    Numbers of classes begin at 0 in every split, and two classes may have one name.
    """
    images, labels = found
    if images.name.endswith(".npz"):
        (bgr,) = entries(images, "images")
        pictures = pictures_in(numpy.atleast_1d(bgr)[..., ::-1], images)
    else:
        demand(isinstance(buffers := load(images), list), f"{images} must hold a list")
        png = enumerate(buffers)
        pictures = [partial(decoded, b, f"{images}, image {i},") for i, b in png]
    keys = [f"label_{k}{s}" for k in ("specific", "general") for s in ("", "_str")]
    of_class, class_names, of_category, category_names = entries(labels, *keys)
    names, categories = texts(class_names), texts(category_names)
    what, number = f"{labels}: labels of images", len(pictures)
    specific = integers(of_class, len(names), what, number)
    general = integers(of_category, len(categories), what, number)
    classes: dict[str, numpy.ndarray] = {}
    for number, name in enumerate(names):
        rows = numpy.flatnonzero(specific == number)
        key = f"{categories[general[rows[0]]] if len(rows) else '?'}/{name}"
        classes[f"{key} ({number})" if key in classes else key] = rows
    return by_index(pictures, classes, labels)


def decoded(buffer: Any, what: str) -> numpy.ndarray:
    """Return the image in a PNG file that is an array of bytes."""
    return read_as_it_is(io.BytesIO(array_of(buffer).tobytes()), what, "rgb")


def class_folders(found: list[Member], files: Files, size: int) -> Classes:
    """Read a list of classes, one a line; the images of each are in data/CLASS."""
    classes: Classes = {name: [] for name in load(found[0])}
    for path, member in files.items():
        folder, name = ("", "", *PurePosixPath(path).parts)[-3:-1]
        if folder == "data" and name in classes:
            classes[name].append(partial(read_as_it_is, member, str(member), "rgb"))
    return classes


def listed(found: list[Member], files: Files, size: int) -> Classes:
    """Read which image is of which class, in CSV or in lists in JSON.

    Images are known by the last parts of their paths, and lie anywhere beside.
    """
    if is_csv := found[0].name.endswith(".csv"):
        header, *rows = [row for row in load(found[0]) if row] or [[]]
        fits = header == ["filename", "label"] and all(len(row) == 2 for row in rows)
        demand(fits, f"{found[0]} must have filename,label first, and two in each row")
    else:
        keys = "label_names", "image_names", "image_labels"
        label_names, image_names, labels = entries(found[0], *keys)
        names, images = texts(label_names), texts(image_names)
        what = f"{found[0]}: labels of images"
        numbers = integers(labels, len(names), what, len(images))
        rows = [[images[i], names[n]] for i, n in enumerate(numbers)]
    places: dict[tuple[str, ...], list[Member]] = {}
    ends = slice(-1 if is_csv else -2, None)
    for path, place in files.items():
        places.setdefault(PurePosixPath(path).parts[ends], []).append(place)
    classes: Classes = {}
    for path, name in rows:
        there = places.pop(PurePosixPath(path).parts[ends], [])
        what = f"{found[0]} names {path!a}, which is there {len(there)} times or was "
        demand(len(there) == 1, f"{what}named before; it must be there once")
        classes.setdefault(name, []).append(partial(read_image, there[0], size, "rgb"))
    return classes
