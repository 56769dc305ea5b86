"""Implicit MAML in NumPy and CuPy, with every derivative written by hand.

Equation numbers that a file does not define itself are those of docs/mathematics.md.
"""

from . import architectures, checks, data, inner, layers
from ._version import __version__
from .adaptation import adapt
from .data.tasks import TaskBatch
from .estimators import NotPositiveDefinite
from .evaluation import evaluate
from .fused import plain_path
from .implicit import implicit_gradient, implicit_gradient_at
from .inner import LBFGS, GradientDescent, InnerDivergence, Momentum, NewtonCG
from .inner import Adam as InnerAdam
from .kernels import device_stage
from .losses import SoftmaxCrossEntropy, SquaredError
from .meta import IMAML, MAML, FirstOrderMAML, ReleasedIMAML, Reptile
from .network import Network
from .objective import ProximalObjective, TaskLoss
from .optimizers import SGD, Adam
from .parallel import set_num_processes, set_num_threads
from .released import PullBackDescent
from .runs import load_run
from .solvers import CG, MINRES, CertifiedCG, Dense, cg, cg_batched
from .task_mean import MetaGradient
from .training import meta_train
from .unrolled import unrolled_gradient

__all__ = [
    "CG",
    "IMAML",
    "LBFGS",
    "MAML",
    "MINRES",
    "SGD",
    "Adam",
    "CertifiedCG",
    "Dense",
    "FirstOrderMAML",
    "GradientDescent",
    "InnerAdam",
    "InnerDivergence",
    "MetaGradient",
    "Momentum",
    "Network",
    "NewtonCG",
    "NotPositiveDefinite",
    "ProximalObjective",
    "PullBackDescent",
    "ReleasedIMAML",
    "Reptile",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "TaskBatch",
    "TaskLoss",
    "__version__",
    "adapt",
    "architectures",
    "cg",
    "cg_batched",
    "checks",
    "data",
    "device_stage",
    "evaluate",
    "implicit_gradient",
    "implicit_gradient_at",
    "inner",
    "layers",
    "load_run",
    "meta_train",
    "plain_path",
    "set_num_processes",
    "set_num_threads",
    "unrolled_gradient",
]
