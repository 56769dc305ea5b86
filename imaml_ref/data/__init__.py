"""Data: where tasks come from.

Knows images, files that hold them, and a seed.  Must not know what learns from a task.
"""

from .baselines import nearest_neighbour, nearest_neighbour_accuracy
from .episodes import Episodes
from .glyphs import glyph_alphabets
from .hdf5 import describe, open_dataset, write_dataset
from .images import SPLITS, ImageSet
from .sinusoid import Sinusoids
from .tasks import TaskBatch, TaskSource, draw

__all__ = [
    "SPLITS",
    "Episodes",
    "ImageSet",
    "Sinusoids",
    "TaskBatch",
    "TaskSource",
    "describe",
    "draw",
    "glyph_alphabets",
    "nearest_neighbour",
    "nearest_neighbour_accuracy",
    "open_dataset",
    "write_dataset",
]
