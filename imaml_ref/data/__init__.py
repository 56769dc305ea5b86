"""Data: where tasks come from."""

from .baselines import nearest_neighbour, nearest_neighbour_accuracy
from .episodes import Episodes
from .glyphs import glyph_alphabets
from .hdf5 import describe, open_dataset, write_dataset
from .images import ImageSet
from .sinusoid import Sinusoids
from .tasks import TaskBatch, TaskSource

__all__ = [
    "Episodes",
    "ImageSet",
    "Sinusoids",
    "TaskBatch",
    "TaskSource",
    "describe",
    "glyph_alphabets",
    "nearest_neighbour",
    "nearest_neighbour_accuracy",
    "open_dataset",
    "write_dataset",
]
