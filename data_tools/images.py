"""Pack one's own images: a folder per class in, one HDF5 file out."""

from pathlib import Path

import numpy
from PIL import Image, ImageOps

from imaml_ref.data.hdf5 import write_dataset
from imaml_ref.data.images import SPLITS, ImageSet

from .progress import track

MODES = {"grey": "L", "rgb": "RGB"}


def pack_images(
    folder: Path,
    dst: Path,
    *,
    size: int = 28,
    colour: str = "grey",
    per_class: int | None = None,
    fractions: tuple[float, float, float] = (0.64, 0.16, 0.2),
    seed: int = 0,
) -> ImageSet:
    """Pack a folder of folders of images into one file.

    Args:
        folder: Has one folder per class, each with images that Pillow reads.  Hidden
            files, and files without the suffix of an image, are passed over.
        dst: The HDF5 file to write; its folder exists.
        size: Height and width to resize to, pixels, whatever the proportions were.
        colour: ``"grey"`` or ``"rgb"``.
        per_class: Images of each class, the first by name; None takes all, and all
            classes must have equally many.
        fractions: Of the classes, for train, val and test; at least one class each.
        seed: Of the permutation that classes are split by.

    Returns:
        What was written, with one split scheme, ``"random"``.

    Raises:
        FileNotFoundError: If ``folder``, or the folder of ``dst``, is not there.
        ValueError: If there are fewer than three classes, too few images in a class or
            unequally many, a file that cannot be read, or an argument out of range.
    """
    folder, dst = Path(folder), Path(dst)
    if not dst.absolute().parent.is_dir():
        raise FileNotFoundError(f"cannot write {dst}: its folder does not exist")
    if colour not in MODES or size < 1:
        raise ValueError(
            f"colour must be {' or '.join(MODES)} and size at least 1, "
            f"got {colour!r} and {size}"
        )
    classes = choose(find_images(folder), per_class)
    splits = split_classes(len(classes), fractions, seed)
    paths = [path for of_class in classes.values() for path in of_class]
    working = track(paths, len(paths), "packing images")
    images = numpy.stack([read_image(path, size, colour) for path in working])
    data = ImageSet(
        images.reshape(len(classes), -1, *images.shape[1:]),
        tuple(classes),
        {"random": splits},
        source=f"folder {folder.resolve().name}",
        resize_filter=f"Lanczos, to {size} pixels, on 8 bits",
        polarity="as in the files",
        split_notes={
            "random": f"in the order of numpy.random.default_rng({seed})"
            f".permutation({len(classes)}): train, val, test"
        },
    )
    write_dataset(dst, data)
    return data


def find_images(folder: Path) -> dict[str, list[Path]]:
    """Return the images of each class by name, sorted.

    Args:
        folder: Has one folder per class.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no folder in it, or one has no image.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}; check the path")
    suffixes = Image.registered_extensions()
    classes = {}
    for sub in sorted(p for p in folder.iterdir() if p.is_dir()):
        if not sub.name.startswith("."):
            files = (p for p in sub.iterdir() if p.suffix.lower() in suffixes)
            classes[sub.name] = sorted(p for p in files if not p.name.startswith("."))
    empty = [name for name, paths in classes.items() if not paths]
    if empty or not classes:
        raise ValueError(
            f"no images in {folder / empty[0] if empty else folder}; "
            "expected one folder per class, with images in each"
        )
    return classes


def choose(
    classes: dict[str, list[Path]], per_class: int | None
) -> dict[str, list[Path]]:
    """Return equally many images of each class.

    Raises:
        ValueError: If that cannot be.
    """
    fewest = min(classes, key=lambda name: len(classes[name]))
    most = max(classes, key=lambda name: len(classes[name]))
    low, high = len(classes[fewest]), len(classes[most])
    if per_class is None and low != high:
        raise ValueError(
            f"classes must have equally many images, but {fewest!r} has {low} and "
            f"{most!r} {high}; add images, or take the first {low} with per_class={low}"
        )
    number = low if per_class is None else per_class
    if not 1 <= number <= low:
        raise ValueError(
            f"{number} images per class were asked for, class {fewest!r} has {low}"
        )
    return {name: paths[:number] for name, paths in classes.items()}


def read_image(path: Path, size: int, colour: str) -> numpy.ndarray:
    """Return an image (size, size, channels), uint8, upright and on white paper.

    Args:
        path: Any format that Pillow reads; transparent pixels become white.
        size: Height and width, pixels.
        colour: ``"grey"`` or ``"rgb"``.

    Raises:
        ValueError: If the file cannot be read as an image.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error
    paper = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(paper, image).convert(MODES[colour])
    pixels = numpy.asarray(flat.resize((size, size), Image.Resampling.LANCZOS))
    return pixels.reshape(size, size, -1)


def split_classes(
    num_classes: int, fractions: tuple[float, float, float], seed: int
) -> dict[str, numpy.ndarray]:
    """Return train, val and test classes, in an order that a seed fixes.

    Raises:
        ValueError: If the fractions are not three positive numbers of sum 1, or a split
            would have no class.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(
            f"fractions must be three positive numbers of sum 1, got {fractions}"
        )
    val, test = (max(1, round(f * num_classes)) for f in fractions[1:])
    if val + test >= num_classes:
        raise ValueError(
            f"{num_classes} classes are too few for train, val and test; "
            "at least three are needed"
        )
    order = numpy.random.default_rng(seed).permutation(num_classes)
    ends = [num_classes - val - test, num_classes - test]
    return dict(zip(SPLITS, numpy.split(order, ends), strict=True))
