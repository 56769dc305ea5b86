"""``imaml-ref predict``."""

import os
from pathlib import Path
from typing import Annotated

import numpy
import typer

from ..runs import Prediction, Run, load_run, predict
from .errors import computing, refusing
from .evaluate import Device, RunArgument

COLOURS = {1: "grey", 3: "rgb"}


def predict_command(
    run: RunArgument,
    support_dir: Annotated[
        Path, typer.Argument(help="One folder of images per class.")
    ],
    query_dir: Annotated[
        Path, typer.Argument(help="A folder of images to classify, and folders in it.")
    ],
    alone: Annotated[
        bool,
        typer.Option(
            "--alone",
            help="Normalise each query image alone, not all together as in training.",
        ),
    ] = False,
    device: Device = None,
):
    """Classify one's own images: learn from a few per class, name the others.

    Images are resized like the training data; light on dark is turned to dark on light
    where the run was trained so.
    """
    with refusing():
        loaded = load_run(run, **({"device": device} if device else {}))
        classes, support = read_support(loaded, support_dir)
        names, query = read_query(loaded, query_dir)
        with computing():
            found = predict(loaded, support, query, alone=alone)
    if found.inverted:
        print(
            "the images are light on dark; they were inverted, like the training data"
        )
    show(names, classes, found)


def read_support(run: Run, folder: Path) -> tuple[list[str], list[numpy.ndarray]]:
    """Return the classes and, for each, its images (n, H, W, C), uint8."""
    from data_tools.images import find_images

    classes = find_images(folder)
    return list(classes), [read_all(run, paths) for paths in classes.values()]


def read_query(run: Run, folder: Path) -> tuple[list[str], numpy.ndarray]:
    """Return file names, with the folders they are in, and images (N, H, W, C), uint8.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are no images in it.
    """
    from data_tools.images import images_below

    paths = images_below(folder)
    # A name that is not UTF-8 could not be printed.
    names = [
        os.fsencode(path.relative_to(folder)).decode(errors="replace") for path in paths
    ]
    return names, read_all(run, paths)


def read_all(run: Run, paths: list[Path]) -> numpy.ndarray:
    """Return images (n, H, W, C), uint8, of the size that a run was trained on.

    Raises:
        ValueError: If the run takes no square images of 1 or 3 channels.
    """
    from data_tools.pictures import read_image

    shape = run.net.input_shape
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] not in COLOURS:
        raise ValueError(f"{run.path} takes no square images, but inputs of {shape}")
    return numpy.stack([read_image(p, shape[0], COLOURS[shape[2]]) for p in paths])


def show(names: list[str], classes: list[str], found: Prediction) -> None:
    """Print a table: file, class, probability."""
    from rich.console import Console
    from rich.table import Table

    table = Table("image", "class", "probability")
    for name, chances in zip(names, found.chances, strict=True):
        best = int(chances.argmax())
        table.add_row(name, classes[best], f"{100 * chances[best]:.1f} %")
    Console().print(table)
