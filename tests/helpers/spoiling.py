"""Ways to spoil a file in a folder: each function returns what spoils the folder."""

import json
import pickle
import shutil

import numpy as np
from PIL import Image


def missing(name):
    """A file, or a folder with all that is in it, that is not there."""

    def spoil(folder):
        found = next(folder.rglob(name))
        shutil.rmtree(found) if found.is_dir() else found.unlink()

    return spoil


def written(name, content):
    return lambda folder: next(folder.rglob(name)).write_bytes(content)


def cut(name):
    """A file that ends in the middle."""

    def spoil(folder):
        file = next(folder.rglob(name))
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return spoil


def twice(name):
    """The same file, or folder, in another folder, too."""

    def spoil(folder):
        found = next(folder.rglob(name))
        (folder / "more").mkdir()
        copy = shutil.copytree if found.is_dir() else shutil.copy
        copy(found, folder / "more" / found.name)

    return spoil


def larger(name):
    """An image of another size."""

    def spoil(folder):
        file = next(folder.rglob(name))
        with Image.open(file) as image:
            larger = image.resize((image.width + 1, image.height))
        larger.save(file, "png")

    return spoil


def changed(name, *changes):
    """The content of a pickle or of a JSON file, after functions of it."""

    def spoil(folder):
        file = folder / name
        way = json if file.suffix == ".json" else pickle
        content = way.loads(file.read_bytes())
        for change in changes:
            content = change(content)
        dumped = way.dumps(content)
        file.write_bytes(dumped if isinstance(dumped, bytes) else dumped.encode())

    return spoil


def array(name, change):
    """The array in a file of NumPy, after a function of it."""

    def spoil(folder):
        found = np.load(folder / name)
        if name.endswith(".npz"):
            np.savez(folder / name, **change(dict(found)))
        else:
            np.save(folder / name, change(found))

    return spoil


def put(value, *keys):
    """Put a value, or what a function makes of the old one, where keys lead to."""

    def change(content):
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        old = inner.get(keys[-1]) if isinstance(inner, dict) else inner[keys[-1]]
        inner[keys[-1]] = value(old) if callable(value) else value
        return content

    return change


def lost(*keys):
    """Take an entry out."""

    def change(content):
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return content

    return change


def renamed(old, new):
    """Rename a class in a dictionary."""
    return lambda classes: {new if n == old else n: r for n, r in classes.items()}
