"""Training: θ ← optimiser(θ, meta-gradient), again and again, and how good θ is.

Knows algorithms, sources of tasks and states to go on from.  Must not know folders,
configurations and consoles.
"""

from .checkpoint import Checkpoint, TrainingState, read_checkpoint, write_checkpoint
from .evaluation import Evaluation, beside, ci95, evaluate
from .loop import Diverged, at_state, meta_train

__all__ = [
    "Checkpoint",
    "Diverged",
    "Evaluation",
    "TrainingState",
    "at_state",
    "beside",
    "ci95",
    "evaluate",
    "meta_train",
    "read_checkpoint",
    "write_checkpoint",
]
