"""Pack Omniglot: the two original archives in, one HDF5 file out.

Images shrink from 105 × 105 to 28 × 28 by Lanczos and are not inverted.  They are made
8-bit grey before that: Pillow resizes 1-bit images by nearest neighbour, whatever
filter it is asked for.

There are two split schemes: ``random-1200``, of the literature since MAML (1200
characters for training, of which 100 validate, and 423 for testing), and
``background``, the original one by alphabet (5 of the 30 background alphabets
validate).

Source: Lake, Salakhutdinov & Tenenbaum, "Human-level concept learning through
probabilistic program induction", Science 350:1332–1338, 2015.
"""

from pathlib import Path

import numpy
from PIL import Image

from imaml_ref.data import ImageSet, write_dataset

from .archives import Files, find_archive, read_archive
from .download import fetch_omniglot
from .gather import check_new
from .pictures import opened
from .progress import track
from .splits import draw

ARCHIVES = {"images_background": 964, "images_evaluation": 659}  # characters
ORIGINAL, SIZE = (105, 105), (28, 28)
SEED = 0
NUM_TRAIN, NUM_VAL = 1100, 100  # characters of random-1200
NUM_VAL_ALPHABETS = 5  # of background
ADVICE = "; fetch the archive again"


def pack_omniglot(src: Path, dst: Path, *, download: bool = False) -> ImageSet:
    """Pack the archives in a folder into one file.

    Args:
        src: Folder with ``images_background`` and ``images_evaluation``, each as
            ``.zip`` or unpacked.
        dst: The HDF5 file to write; its folder exists.
        download: Fetch the archives into ``src`` first, unless they are there.

    Returns:
        What was written.

    Raises:
        FileNotFoundError: If an archive, or the folder of ``dst``, is not there.
        OSError: If ``dst`` cannot be written.
        ValueError: If ``dst`` is there, an archive is damaged or incomplete, or an
            image is not 105 × 105 with 1 bit per pixel.
    """
    src, dst = Path(src), Path(dst)
    check_new(dst)
    if download:
        fetch_omniglot(src)
    background, evaluation = (find_characters(src, name) for name in ARCHIVES)
    characters = background | evaluation
    working = track(characters.items(), len(characters), "packing characters")
    images = numpy.stack([read_character(*character) for character in working])
    others = len(characters) - NUM_TRAIN - NUM_VAL
    at_random, how = draw(NUM_TRAIN, NUM_VAL, others, SEED)
    by_alphabet, note = split_by_alphabet(list(background), list(evaluation))
    data = ImageSet(
        images[..., None],
        tuple(characters),
        {"random-1200": at_random, "background": by_alphabet},
        source="Omniglot, images_background and images_evaluation",
        resize_filter="Lanczos, 105 to 28 pixels, on 8-bit grey",
        polarity="ink 0, paper 255",
        split_notes={"random-1200": how, "background": note},
    )
    write_dataset(dst, data)
    return data


def find_characters(src: Path, name: str) -> dict[str, Files]:
    """Return the drawings of one archive by character.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it does not have its number of characters.
    """
    path = find_archive(src, name)
    if path is None:
        raise FileNotFoundError(
            f"no {name}.zip and no folder {name} in {src}; give the folder that holds "
            "both archives of Omniglot, or let --download fetch them"
        )
    characters = read_archive(path)
    if len(characters) != ARCHIVES[name]:
        raise ValueError(
            f"{path} has {len(characters)} characters, expected {ARCHIVES[name]}: "
            "incomplete, or not Omniglot; fetch the archive again"
        )
    return characters


def read_character(name: str, drawings: Files) -> numpy.ndarray:
    """Return the drawings of a character, (20, 28, 28), uint8."""
    images = []
    for file, source in drawings.items():
        with opened(source, f"drawing {name}/{file}", ADVICE) as image:
            images.append(shrink(image))
    return numpy.stack(images)


def shrink(image: Image.Image) -> numpy.ndarray:
    """Return an original image, 28 × 28, uint8.

    Raises:
        ValueError: If it is not 105 × 105 with 1 bit per pixel.
    """
    if image.mode != "1" or image.size != ORIGINAL:
        raise ValueError(
            "must be 105 × 105 with 1 bit per pixel, is {} × {} of mode {}".format(
                *image.size, image.mode
            )
        )
    return numpy.asarray(image.convert("L").resize(SIZE, Image.Resampling.LANCZOS))


def split_by_alphabet(
    background: list[str], evaluation: list[str]
) -> tuple[dict[str, numpy.ndarray], str]:
    """Return a split by alphabet, and how it was made.

    Args:
        background: Names ``"Alphabet/characterNN"`` of the first classes.
        evaluation: Names of the other classes: the test.
    """
    of_class = numpy.array([name.partition("/")[0] for name in background])
    alphabets = numpy.unique(of_class)
    rng = numpy.random.default_rng(SEED)
    val = rng.choice(alphabets, NUM_VAL_ALPHABETS, replace=False)
    is_val = numpy.isin(of_class, val)
    splits = {
        "train": numpy.flatnonzero(~is_val),
        "val": numpy.flatnonzero(is_val),
        "test": numpy.arange(len(evaluation)) + len(background),
    }
    note = (
        f"test: images_evaluation; val: {', '.join(sorted(val))}, "
        f"chosen by numpy.random.default_rng({SEED})"
    )
    return splits, note
