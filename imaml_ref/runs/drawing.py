"""Figures made of matplotlib's objects: no window, no backend, no global state."""

import importlib
import os
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..files import atomic_path

Figure = Any  # matplotlib.figure.Figure; matplotlib is imported when a figure is drawn

BLUE, ORANGE, GREEN, RED = "#0072b2", "#d55e00", "#009e73", "#c0392b"
LETTERS_PER_INCH = 12  # of a title, at least
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "font.size": 9,
    "axes.titlesize": 10,
}


def imported(name: str) -> Any:
    """Import a module of matplotlib, whatever backend the environment names.

    A notebook has ``MPLBACKEND`` name its own backend, also to programs of other
    environments.  matplotlib looks it up when it is imported, raises where it is
    absent, and cannot be imported again after that.  So the name is put aside for that
    moment, and taken where matplotlib knows it: for others, a file needs none.

    Args:
        name: Such as ``"matplotlib.figure"``.
    """
    if "matplotlib" not in sys.modules:
        backend = os.environ.pop("MPLBACKEND", None)
        try:
            matplotlib = importlib.import_module("matplotlib")
        finally:
            if backend is not None:
                os.environ["MPLBACKEND"] = backend
        with suppress(ValueError):
            matplotlib.rcParams.update({"backend": backend} if backend else {})
    return importlib.import_module(name)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, or as SVG where the name says so, whole or not at all."""
    kind = "svg" if Path(path).suffix == ".svg" else "png"
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, format=kind)


def panels(rows: int, columns: int, title: str, size: tuple[float, float]):
    """Return a figure with a title, and its axes in an array (rows, columns)."""
    with imported("matplotlib").rc_context(STYLE):
        figure = imported("matplotlib.figure").Figure(
            figsize=size, layout="constrained"
        )
        axes = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(wrapped(title, size[0]), fontsize=10)
    return figure, axes


def wrapped(title: str, inches: float) -> str:
    """Break the lines of a title so that they fit into a width."""
    width = int(LETTERS_PER_INCH * inches)
    return "\n".join(textwrap.fill(line, width) for line in title.splitlines())
