"""Pack one's own images: a folder per class in, one HDF5 file out."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from imaml_ref.data import ImageSet, write_dataset

from .gather import Classes, check_new, gather
from .pictures import CHANNELS, MODES, read_image
from .splits import FRACTIONS, Split, split_classes


def pack_images(
    folder: Path,
    dst: Path,
    *,
    size: int = 28,
    colour: str = "grey",
    per_class: int | None = None,
    split: Split = FRACTIONS,
    seed: int = 0,
) -> ImageSet:
    """Pack a folder of folders of images into one file.

    Args:
        folder: Has one folder per class, each with images that Pillow reads, of which
            the first frame or page is taken.  Hidden files, and files without the
            suffix of an image, are passed over.
        dst: The HDF5 file to write; its folder exists.
        size: Height and width to resize to, pixels, whatever the proportions were.
        colour: ``"grey"`` or ``"rgb"``.
        per_class: Images of each class, the first by name that can be read; None takes
            all, and all classes must have equally many.
        split: The classes for train, val and test, at least one each: three fractions
            or three numbers of classes, which are drawn, or three lists of names.
        seed: Of the permutation that classes are drawn by.

    Returns:
        What was written, with one split scheme, ``"random"`` or ``"named"``.

    Raises:
        FileNotFoundError: If ``folder``, or the folder of ``dst``, is not there.
        OSError: If ``dst`` cannot be written, or a folder cannot be read.
        ValueError: If ``dst`` is there, there are fewer than three classes, too few or
            unequally many images that can be read, or an argument is out of range.
    """
    folder, dst = Path(folder), Path(dst)
    check_new(dst)
    if colour not in MODES or size < 1:
        raise ValueError(
            f"colour must be {' or '.join(MODES)} and size at least 1, "
            f"got {colour!r} and {size}"
        )
    classes: Classes = {
        name: [partial(read_image, path, size, colour) for path in paths]
        for name, paths in find_images(folder).items()
    }
    scheme, splits, note = split_classes(list(classes), split, seed)
    shape = (size, size, CHANNELS[colour])
    images, counted = gather(classes, splits, shape, per_class)
    data = ImageSet(
        images,
        tuple(classes),
        {scheme: splits},
        source=f"folder {folder.resolve().name}: {counted}",
        resize_filter=f"Lanczos, to {size} pixels, on 8 bits",
        polarity="as in the files",
        split_notes={scheme: note},
    )
    write_dataset(dst, data)
    return data


def find_images(folder: Path) -> dict[str, list[Path]]:
    """Return the images of each class by name, sorted.

    Args:
        folder: Has one folder per class.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If it is a file.
        ValueError: If there is no folder in it, or one has no image.
    """
    check_folder(folder)
    classes = {}
    for sub in sorted(p for p in folder.iterdir() if p.is_dir()):
        if not sub.name.startswith("."):
            check_name(sub)
            classes[sub.name] = sorted(filter(is_image, sub.iterdir()))
    empty = [name for name, paths in classes.items() if not paths]
    if empty or not classes:
        raise ValueError(
            f"no images in {folder / empty[0] if empty else folder}; "
            "expected one folder per class, with images in each"
        )
    return classes


def is_image(path: Path) -> bool:
    """Whether a path is named like an image, and is neither hidden nor a folder."""
    known = Image.registered_extensions().get(path.suffix.lower()) in Image.OPEN
    return known and not path.name.startswith(".") and not path.is_dir()


def left_out(folder: Path) -> int:
    """Count images that belong to no class: beside their folders, or deeper in them."""
    below = files_below(folder, lambda _: None)  # what cannot be read has no say
    return sum(is_image(p) for p in below if len(p.relative_to(folder).parts) != 2)


def check_folder(folder: Path) -> None:
    """Check that a path is a folder.

    Raises:
        FileNotFoundError: If it is not there.
        NotADirectoryError: If it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, expected a folder of images")
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}; check the path")


def check_name(folder: Path) -> None:
    """Check that the name of a class can be written into a file.

    Raises:
        ValueError: If it is not UTF-8.
    """
    try:
        folder.name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the name of the folder {os.fsencode(folder)!r} is not UTF-8; rename it"
        ) from error


def images_below(folder: Path) -> list[Path]:
    """Return the images in a folder and in the folders in it, sorted by path.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If it is a file.
        OSError: If a folder cannot be read.
        ValueError: If there is no image.
    """
    check_folder(folder)
    paths = sorted(filter(is_image, files_below(folder)))
    if not paths:
        raise ValueError(f"no images in {folder}; expected PNG, JPEG or the like")
    return paths


def refuse(error: OSError) -> None:
    """Take a folder that cannot be read for an error.

    Raises:
        OSError: As it came.
    """
    raise error


def files_below(
    folder: Path, onerror: Callable[[OSError], None] = refuse
) -> Iterator[Path]:
    """Yield the files in a folder and in its folders, except for hidden folders.

    Args:
        folder: The folder.
        onerror: Called where a folder cannot be read.
    """
    for place, folders, files in os.walk(folder, onerror=onerror):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in files)
