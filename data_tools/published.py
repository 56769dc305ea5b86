"""Pack a data set of the literature from a copy as it circulates, splits as published.

A copy is recognised by the names of its files, and its splits share no class.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy

from imaml_ref.data import SPLITS, ImageSet, write_dataset

from . import copies, omniglot
from .archives import Files, files_in
from .gather import Classes, check_new, demand, gather
from .pictures import read_as_it_is
from .progress import track

SIZES = {"cifar-fs": 32, "fc100": 32, "omniglot": 28}  # pixels as published; else 84
MADE = "1100, 100 and 423 characters, chosen in packing: docs/data.md says how"
NAMES = {"train": "(train(_phase_train)?|base)", "val": "val", "test": "(test|novel)"}


def one_array(found: Files) -> dict[str, Classes]:
    """Read Omniglot as floats (1623, 20, 1, H, W) from 0 to 1, in its order."""
    path, *more = found
    demand(not more, f"{path} must be there once, there is {more[:1]}")
    images = copies.load(found[path])
    fits = images.ndim == 5 and images.dtype.kind == "f"
    fits = fits and 0 <= images.min() <= images.max() <= 1
    demand(fits, f"{path} must hold floats (character, drawing, 1, H, W) from 0 to 1")
    pixels = numpy.rint(255 * images.transpose(0, 1, 3, 4, 2)).astype(numpy.uint8)
    every: Classes = {
        f"{c:04}": [partial(x.view) for x in pixels[c]] for c in range(len(pixels))
    }
    return characters(every, numpy.arange(len(every)))


def small_folders(found: Files) -> dict[str, Classes]:
    """Read Omniglot as Alphabet/characterNN/XXXX_YY.png, made smaller; draw a split."""
    every: Classes = {}
    for path, member in found.items():
        picture = partial(read_as_it_is, member, path, "grey")
        every.setdefault("/".join(path.split("/")[-3:-1]), []).append(picture)
    order = numpy.random.default_rng(omniglot.SEED).permutation(len(every))
    return characters(every, order)


def characters(every: Classes, order: numpy.ndarray) -> dict[str, Classes]:
    """Return 1100 of Omniglot's characters for training, 100 for validation, 423."""
    expected, got = sum(omniglot.ARCHIVES.values()), len(every)
    demand(got == expected, f"Omniglot has {expected} characters, here are {got}")
    names, end = list(every), omniglot.NUM_TRAIN + omniglot.NUM_VAL
    parts = numpy.split(order, [omniglot.NUM_TRAIN, end])
    chosen = ({names[c]: every[names[c]] for c in part} for part in parts)
    return dict(zip(SPLITS, chosen, strict=True))


COPIES: list[tuple[str, str, Callable]] = [  # {} is a split; without it, all are there
    ("mini-imagenet", "mini-imagenet-cache-{}.pkl", copies.with_indices),
    ("mini-imagenet", "miniImageNet_category_split_{}.pickle", copies.with_labels),
    ("mini-imagenet", "{}.csv", copies.listed),
    ("tiered-imagenet", "{}_images_png.pkl {}_labels.pkl", copies.tiered),
    ("tiered-imagenet", "{}_images.npz {}_labels.pkl", copies.tiered),
    ("cifar-fs", "splits/bertinetto/{}.txt", copies.class_folders),
    ("cifar-fs", "CIFAR_FS_{}.pickle", copies.with_labels),
    ("fc100", "FC100_{}.pickle", copies.with_labels),
    ("cub", "{}.json", copies.listed),
    ("omniglot", "{}_images.npy {}_labels.json", copies.with_indices),
    ("omniglot", "omniglot.npy", one_array),
    ("omniglot", r"character\d+/[^/]+.png", small_folders),
]


def pack_published(
    name: str,
    src: Path,
    dst: Path,
    *,
    size: int | None = None,
    per_class: int | None = None,
) -> ImageSet:
    """Pack a copy of a data set into one file, its split scheme ``"published"``.

    Args:
        name: One of those in ``COPIES``.
        src: The folder, or the zip file, that the copy is in.
        dst: The HDF5 file to write; its folder exists, and it does not.
        size: Height and width, pixels, of which images are; those that a CSV or JSON
            list names are brought to it.  None is as published.
        per_class: Images of each class, see ``pack_images``.

    Raises:
        OSError: If ``dst`` cannot be written.
        ValueError: If ``dst`` is there, or no whole copy, or splits share a class.
    """
    src, dst = Path(src), Path(dst)
    check_new(dst)
    size = size or SIZES.get(name, 84)
    copy, parts = read_copy(name, files_in(src), size, src)
    classes = {name: own[name] for own in parts.values() for name in own}
    shared = sum(map(len, parts.values())) - len(classes)
    demand(not shared, f"splits of {src} share {shared} classes, expected none")
    demand(all(parts.values()), f"a split of {src} has no class; fetch it again")
    index = {name: i for i, name in enumerate(classes)}
    splits = {s: numpy.array([index[n] for n in own]) for s, own in parts.items()}
    shape = size, size, 1 if name == "omniglot" else 3
    images, counted = gather(classes, splits, shape, per_class)
    listed = copy in ("{}.csv", "{}.json")  # images of any size
    data = ImageSet(
        images,
        tuple(classes),
        {"published": splits},
        source=f"{name} from {copy.replace('{}', 'SPLIT')}: {counted}",
        resize_filter="Lanczos, on 8 bits" if listed else "as in the files",
        polarity="as in the files",
        split_notes={"published": "as in the files" if "{}" in copy else MADE},
    )
    write_dataset(dst, data)
    return data


def matching(files: Files, pattern: str) -> Files:
    """Return the files whose paths end like a regular expression."""
    return {p: files[p] for p in files if re.search(f"(^|/){pattern}$", p)}


def read_copy(
    name: str, files: Files, size: int, src: Path
) -> tuple[str, dict[str, Classes]]:
    """Return which form it is, and the pictures of every split by class."""
    known = {copy: read for of, copy, read in COPIES if of == name}
    names = ", ".join(dict.fromkeys(of for of, _, _ in COPIES))
    demand(known, f"no data set is called {name!a}; there are {names}")
    train = {copy: copy.split()[0].format(NAMES["train"]) for copy in known}
    there = [copy for copy in known if matching(files, train[copy])]
    demand(there, f"no copy of {name} in {src}; expected {' or '.join(known)}")
    copy, read = there[0], known[there[0]]
    if "{}" not in copy:
        return copy, read(matching(files, copy))
    parts = {}
    for split in track(SPLITS, len(SPLITS), "reading splits"):
        wanted = copy.format(*2 * [NAMES[split]]).split()
        found = [m for file in wanted for m in matching(files, file).values()]
        once = f"{src} must hold each of {copy} once, where {{}} is {NAMES[split]}"
        demand(len(found) == len(wanted), once)
        parts[split] = read(found, files, size)
    return copy, parts
