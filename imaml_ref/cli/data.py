"""``imaml-ref data``: pack data sets into HDF5 files, and look into them.

The packers are imported when they are called: only they need Pillow and pooch.
"""

from pathlib import Path
from typing import Annotated

import typer

from ..data import describe
from .errors import refusing

WAYS = 5  # of the tasks that train draws by default
KNOWN = "mini-imagenet, tiered-imagenet, cifar-fs, fc100, cub or omniglot."
app = typer.Typer(
    help="Pack data sets into HDF5 files, and look into them.",
    epilog="Example: imaml-ref data info omniglot.h5",
)
Destination = Annotated[
    Path, typer.Argument(help="The HDF5 file to write.", metavar="DST.h5")
]
PerClass = Annotated[
    int | None, typer.Option(help="The first N images of each class, in place of all.")
]


@app.command(
    epilog="Example: imaml-ref data pack-omniglot downloads omniglot.h5 --download"
)
def pack_omniglot(
    src: Annotated[
        Path,
        typer.Argument(
            help="Folder with images_background and images_evaluation, "
            "each as .zip or unpacked."
        ),
    ],
    dst: Destination,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the archives into SRC first.")
    ] = False,
):
    """Pack the two original archives of Omniglot."""
    with refusing():
        from data_tools.omniglot import pack_omniglot

        pack_omniglot(src, dst, download=download)
    show_info(dst)


@app.command(epilog="Example: imaml-ref data pack-published cub birds cub.h5")
def pack_published(
    name: Annotated[str, typer.Argument(help=KNOWN)],
    src: Annotated[Path, typer.Argument(help="Folder or .zip file with a copy of it.")],
    dst: Destination,
    size: Annotated[int | None, typer.Option(min=1, help="Height and width.")] = None,
    per_class: PerClass = None,
):
    """Pack a data set of the literature from a copy as it circulates."""
    with refusing():
        from data_tools.published import pack_published

        pack_published(name, src, dst, size=size, per_class=per_class)
    show_info(dst)


@app.command(epilog="Example: imaml-ref data pack-images photos photos.h5 --size 84")
def pack_images(
    folder: Annotated[Path, typer.Argument(help="One folder of images per class.")],
    dst: Destination,
    size: Annotated[
        int,
        typer.Option(help="Height and width, pixels; the aspect ratio is not kept."),
    ] = 28,
    colour: Annotated[str, typer.Option(help="grey or rgb.")] = "grey",
    per_class: PerClass = None,
    split: Annotated[
        str,
        typer.Option(
            help="Classes for train, val, test: fractions, numbers such as 8,2,2, or "
            "text files of class names, one a line."
        ),
    ] = "0.64,0.16,0.2",
    seed: Annotated[int, typer.Option(help="Of the split into classes.", min=0)] = 0,
):
    """Pack one's own images, one folder per class."""
    with refusing():
        from data_tools.images import left_out, pack_images
        from data_tools.splits import parse_split

        pack_images(
            folder,
            dst,
            size=size,
            colour=colour,
            per_class=per_class,
            split=parse_split(split),
            seed=seed,
        )
        passed_over = left_out(folder)
    show_info(dst)
    if passed_over:
        print(
            f"{'note':16} {passed_over} images passed over: they lie beside the class "
            "folders or in folders inside them"
        )


@app.command(epilog="Example: imaml-ref data info omniglot.h5")
def info(
    file: Annotated[Path, typer.Argument(help="A packed data set.", metavar="F.h5")],
):
    """Check a file in full and say what is in it."""
    show_info(file)


def show_info(path: Path) -> None:
    """Print what is in a data set file."""
    with refusing():
        found = describe(path)
    splits = found.pop("splits")
    for name, value in found.items():
        print(f"{name:16} {value}")
    for scheme, sizes in splits.items():
        note = sizes.pop("note")
        numbers = ", ".join(f"{split} {number}" for split, number in sizes.items())
        print(f"{'split':16} {scheme}: {numbers} classes; {note}")
        if min(sizes.values()) < WAYS:
            print(f"{'note':16} {scheme}: {way_out(sizes)}")


def way_out(sizes: dict[str, int]) -> str:
    """Say what to do where a split has fewer classes than the tasks have by default."""
    total, fewest = sum(sizes.values()), min(sizes.values())
    again = f"pack again with --split {total - 2 * WAYS},{WAYS},{WAYS}"
    if total < 3 * WAYS:
        again = f"{WAYS} classes in each split are needed, {3 * WAYS} together"
    few = f"train with --ways {fewest}" if fewest > 1 else "1 class makes no task"
    return f"{few}; for {WAYS} ways, {again}"
