"""Data files that somebody changed: opened with their digest, or refused by name."""

import h5py
import numpy as np

from imaml_ref.data import open_dataset, write_dataset
from tests.helpers.tiny_runs import make_images

from . import Drawn, pick


def harmless(rng: np.random.Generator):
    """Draw a change that does not touch what the file says."""

    def repack(file):
        images = file["images"][()]
        del file["images"]
        file.create_dataset("images", data=images, **layout)

    layout = pick(
        rng,
        [{}, {"compression": "lzf"}, {"chunks": (1, 2, 8, 8, 1)}, {"shuffle": True}],
    )
    name = f"note{rng.integers(1000)}"
    text = np.bytes_(b"imaml_ref/dataset")
    return pick(
        rng,
        [
            (f"{name} as attribute", lambda f: say(f, name, 3)),
            (f"{name} as data set", lambda f: f.create_dataset(name, data=[1.5])),
            (f"images stored with {layout}", repack),
            ("schema as bytes", lambda f: say(f, "schema", text)),
            ("version as int8", lambda f: put_version(f, np.int8(1))),
            ("version as a list of one", lambda f: put_version(f, [1])),
            ("split as uint8", lambda f: retype(f, "splits/only/val", np.uint8)),
            ("split as int16", lambda f: retype(f, "splits/only/test", np.int16)),
        ],
    )


def spoiling(rng: np.random.Generator):
    """Draw a change after which the file does not hold, and a word of the message."""
    split = pick(rng, ["train", "val", "test"])
    where = f"splits/only/{split}"
    value = int(pick(rng, [-1, 15, 99]))
    kind = pick(rng, [np.float32, np.int16, np.uint16, bool])
    axes = pick(rng, [(15, 6, 8, 8), (15, 6, 64), (90, 8, 8, 1)])
    at = tuple(int(rng.integers(n)) for n in (15, 6, 8, 8, 1))
    gone = pick(
        rng,
        ["images", "class_names", where, "splits", "splits/only", "digest", "source"],
    )
    version = pick(rng, [0, -1, 2, 7, "one", 1.5])
    schema = pick(rng, ["imaml_ref/checkpoint", "", "IMAML_REF/DATASET", 7])
    n = int(rng.integers(5))
    changes = {
        f"{where}[{n}] = {value}": (lambda f: put(f[where], n, value), split),
        f"{where} twice {n}": (lambda f: put(f[where], n, f[where][n - 1]), split),
        f"{where} as floats": (lambda f: retype(f, where, float), split),
        f"{where} empty": (lambda f: replace(f, where, np.zeros(0, int)), split),
        f"{where} of two axes": (
            lambda f: replace(f, where, f[where][()][None]),
            split,
        ),
        f"images as {kind.__name__}": (lambda f: retype(f, "images", kind), "images"),
        f"images {axes}": (lambda f: reshape(f, "images", axes), "images"),
        f"pixel {at}": (lambda f: flip(f["images"], at), "digest"),
        f"without {gone}": (lambda f: remove(f, gone), gone.rpartition("/")[2]),
        f"version {version!r}": (lambda f: put_version(f, version), "version"),
        f"schema {schema!r}": (lambda f: say(f, "schema", schema), "schema"),
        f"{n + 1} names less": (lambda f: shorten(f, "class_names", n), "class names"),
        "digest of others": (lambda f: say(f, "digest", "0" * 64), "digest"),
    }
    label = pick(rng, changes)
    return label, *changes[label]


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a file: changed harmlessly or for the worse, cut, or something else."""
    seed, kind = int(rng.integers(3)), rng.random()
    if kind < 0.3:
        label, change = harmless(rng)
        want = make_images(seed)

        def same(found):
            assert found.digest == want.digest
            np.testing.assert_array_equal(found.images, want.images)
            np.testing.assert_array_equal(found.splits["only"]["val"], np.arange(5, 10))

        return Drawn(f"{label}, seed {seed}", opening(seed, change), same)
    if kind < 0.8:
        label, change, word = spoiling(rng)
        return Drawn(f"{label}, seed {seed}", opening(seed, change), (word, "set.h5"))
    if kind < 0.9:
        size = int(rng.integers(0, 9000))
        return Drawn(f"cut to {size} bytes", cutting(seed, size), ("set.h5",))
    other = pick(rng, [b"", b"\x89PNG\r\n", b"PK\x03\x04", b"label,x\n1,2\n"])
    other += bytes(rng.integers(0, 256, rng.integers(40)).astype(np.uint8))
    return Drawn(f"{other!r} instead", writing(other), ("set.h5",))


def opening(seed: int, change):
    """Return what writes a data set, changes it, and opens it."""

    def ask(folder):
        write_dataset(folder / "set.h5", make_images(seed))
        with h5py.File(folder / "set.h5", "a") as file:
            change(file)
        return open_dataset(folder / "set.h5")

    return ask


def cutting(seed: int, size: int):
    """Return what opens the first bytes of a data set."""

    def ask(folder):
        write_dataset(folder / "whole.h5", make_images(seed))
        return writing((folder / "whole.h5").read_bytes()[:size])(folder)

    return ask


def writing(content: bytes):
    """Return what opens a file of some bytes."""

    def ask(folder):
        (folder / "set.h5").write_bytes(content)
        return open_dataset(folder / "set.h5")

    return ask


def put(entries, at, value):
    """Change one entry."""
    entries[at] = value


def flip(images, at):
    """Change one pixel."""
    images[at] ^= 1


def replace(file, name, value):
    """Put another array in the place of one."""
    del file[name]
    file[name] = value


def retype(file, name, kind):
    """Give an array another type."""
    replace(file, name, file[name][()].astype(kind))


def reshape(file, name, shape):
    """Give an array another shape."""
    replace(file, name, file[name][()].reshape(shape))


def shorten(file, name, n):
    """Leave out the first texts of a list."""
    replace(file, name, file[name].asstr()[n + 1 :].tolist())


def say(file, name, value):
    """Say something in an attribute."""
    file.attrs[name] = value


def put_version(file, value):
    """Say another version."""
    say(file, "schema_version", value)


def remove(file, name):
    """Leave something out."""
    if name in file.attrs:
        del file.attrs[name]
    else:
        del file[name]
