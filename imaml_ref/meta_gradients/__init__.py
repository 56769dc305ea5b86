"""From θ and tasks to the meta-gradient: the equations (1) to (9) and (15).

One file each for the objective (1), the mean (2), the implicit gradient (3) to (7), its
bound (8), the unrolled one (9), and what is measured with them.  Knows one θ at a time.
Must not know of a training around it: no optimiser of θ, no file, no configuration.
"""

from .adaptation import adapt
from .algorithms import IMAML, FirstOrderMAML, ReleasedIMAML, Reptile
from .diagnostics import Diagnostics
from .estimators import NotPositiveDefinite
from .implicit import implicit_gradient, implicit_gradient_at
from .maml import MAML
from .objective import ProximalObjective, TaskLoss, check_labels
from .released import PullBackDescent
from .strength import check_held
from .task_mean import MetaGradient, each_chunk
from .unrolled import unrolled_gradient

__all__ = [
    "IMAML",
    "MAML",
    "Diagnostics",
    "FirstOrderMAML",
    "MetaGradient",
    "NotPositiveDefinite",
    "ProximalObjective",
    "PullBackDescent",
    "ReleasedIMAML",
    "Reptile",
    "TaskLoss",
    "adapt",
    "check_held",
    "check_labels",
    "each_chunk",
    "implicit_gradient",
    "implicit_gradient_at",
    "unrolled_gradient",
]
