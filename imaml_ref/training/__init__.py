"""Training: θ ← optimiser(θ, meta-gradient), again and again, and how good θ is.

Knows algorithms, sources of tasks and states to go on from.  Must not know folders,
configurations and consoles.
"""

from .checkpoint import Checkpoint, TrainingState, read_checkpoint, write_checkpoint
from .evaluation import Evaluation, beside, evaluate
from .intervals import RESAMPLINGS, ci95
from .loop import Diverged, at_state, meta_train
from .protocols import protocols

__all__ = [
    "RESAMPLINGS",
    "Checkpoint",
    "Diverged",
    "Evaluation",
    "TrainingState",
    "at_state",
    "beside",
    "ci95",
    "evaluate",
    "meta_train",
    "protocols",
    "read_checkpoint",
    "write_checkpoint",
]
