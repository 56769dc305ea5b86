"""A data set and flags so small that a run takes a second."""

import numpy as np

from imaml_ref.cli import main
from imaml_ref.data import ImageSet
from imaml_ref.runs import finish

TINY = {
    "net": "linear",
    "ways": 3,
    "queries": 2,
    "meta-batch": 3,
    "inner-steps": 2,
    "cg-steps": 2,
    "lam": 0.5,
    "validation-tasks": 4,
    "test-tasks": 5,
    "threads": 1,
    "checkpoint-seconds": 0,
}


def no_figures(monkeypatch):
    """Leave the figures of a run out: they take longer than a tiny run.

    runs/test_figures.py, runs/test_report.py and cli/test_commands.py look at them.
    """
    monkeypatch.setattr(finish, "draw_missing", lambda *_: None)


def as_flags(keys):
    """Write keys as flags."""
    return [text for name, value in keys.items() for text in (f"--{name}", str(value))]


def make_images(seed=0, drawings=6, size=8):
    """Fifteen classes of noisy square patches, ink on paper."""
    rng = np.random.default_rng(seed)
    means = rng.integers(0, 256, size=(15, 1, size, size, 1))
    noise = rng.normal(scale=40, size=(15, drawings, size, size, 1))
    images = (means + noise).clip(0, 255).astype(np.uint8)
    splits = dict(
        zip(("train", "val", "test"), np.split(np.arange(15), 3), strict=True)
    )
    names = tuple(f"class {i}" for i in range(15))
    return ImageSet(images, names, {"only": splits}, "test", "none", "ink 0, paper 255")


def train(data, out, *more):
    """Run ``imaml-ref train`` on a data file; return its exit status."""
    flags = as_flags({"data": data, "out": out} | TINY)
    return main(["train", *flags, *more])


def snapshot(folder):
    """Return what is in a folder, and when it was written."""
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}
