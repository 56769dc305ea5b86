"""Data sets as HDF5 files.

    images            uint8 (class, instance, H, W, C), one chunk per class, gzip
    class_names       strings (class,)
    splits/SCHEME/{train,val,test}    class indices
    attributes        schema, schema_version, digest, source, resize_filter, polarity,
                      schemes (in order: the first is the default)

Opening a file reads it whole and asserts all of it: Omniglot is 25 MB.
"""

import os
from pathlib import Path
from typing import Any

import h5py

from ..files import BadFile, atomic_h5, open_h5, whole
from .images import SPLITS, ImageSet

SCHEMA, VERSION = "imaml_ref/dataset", 1
TEXTS = ("source", "resize_filter", "polarity")


def write_dataset(path: str | os.PathLike, data: ImageSet) -> None:
    """Write a data set, whole or not at all; an older file is replaced.

    Args:
        path: The file; its folder exists.
        data: Images, class names and splits.
    """
    with atomic_h5(path, schema=SCHEMA, version=VERSION) as file:
        chunks = (1, *data.images.shape[1:])
        file.create_dataset(
            "images", data=data.images, chunks=chunks, compression="gzip"
        )
        file["class_names"] = list(data.class_names)
        for scheme, splits in data.splits.items():
            group = file.create_group(f"splits/{scheme}")
            group.attrs["note"] = data.split_notes.get(scheme, "")
            for split in SPLITS:
                group[split] = splits[split]
        file.attrs["digest"] = data.digest
        for name in TEXTS:
            file.attrs[name] = getattr(data, name)
        file.attrs["schemes"] = list(data.splits)


def open_dataset(path: str | os.PathLike) -> ImageSet:
    """Read a data set into memory and assert that it is what it says.

    Args:
        path: A file of write_dataset.

    Raises:
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
        OSError: If the system does not let it be read.
        BadFile: If it is truncated, foreign, of a newer version, lacks something, its
            splits share classes or are out of range, or its digest does not hold.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(
            f"{path} is a folder, expected an HDF5 file; pack a folder of images, one "
            f"folder per class, with `imaml-ref data pack-images {path} FILE.h5`"
        )
    with (
        open_h5(path, schema=SCHEMA, version=VERSION) as file,
        whole(path, otherwise="does not hold", advice="pack it again"),
    ):
        data, digest = read(file), file.attrs["digest"]
    if data.digest != digest:
        raise BadFile(
            f"{path} does not hold: its images have digest {data.digest[:12]}…, it "
            f"says {str(digest)[:12]}…, so it was changed after packing; pack it again"
        )
    return data


def read(file: h5py.File) -> ImageSet:
    """Return the data set in an open file, checked except for its digest.

    Raises:
        KeyError: If something is missing; its name is in the message.
    """
    names = ["images", "class_names"]
    for scheme in file.attrs["schemes"]:
        names += [f"splits/{scheme}/{split}" for split in SPLITS]
    for name in names:
        if name not in file:  # h5py's KeyError names only the last part, if any
            raise KeyError(f"{name} is missing")
    splits = {
        scheme: {split: file[f"splits/{scheme}/{split}"][()] for split in SPLITS}
        for scheme in file.attrs["schemes"]
    }
    return ImageSet(
        file["images"][()],
        tuple(file["class_names"].asstr()[()]),
        splits,
        **{name: str(file.attrs[name]) for name in TEXTS},
        split_notes={s: str(file[f"splits/{s}"].attrs["note"]) for s in splits},
    )


def describe(path: str | os.PathLike) -> dict[str, Any]:
    """Return what is in a data set file, in plain types, after all its checks.

    Args:
        path: A file of write_dataset.

    Returns:
        file, schema, schema_version, classes, drawings, image_shape, source,
        resize_filter, polarity, digest, and splits ``{scheme: {"train", "val", "test":
        number of classes, "note": how they were chosen}}``.
    """
    data = open_dataset(path)
    sizes = {
        scheme: {split: len(splits[split]) for split in SPLITS}
        for scheme, splits in data.splits.items()
    }
    return {
        "file": Path(path).name,
        "schema": SCHEMA,
        "schema_version": VERSION,
        "classes": data.images.shape[0],
        "drawings": data.images.shape[1],
        "image_shape": list(data.input_shape),
        **{name: getattr(data, name) for name in TEXTS},
        "digest": data.digest,
        "splits": {s: {**sizes[s], "note": data.split_notes[s]} for s in sizes},
    }
