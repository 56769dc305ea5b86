"""Implicit MAML in NumPy and CuPy, with every derivative written by hand.

Equation numbers that a file does not define itself are those of docs/mathematics.md.
"""

from . import checks, data, inner, layers, weights
from ._version import __version__
from .compute import set_num_processes, set_num_threads
from .data import TaskBatch
from .fused import plain_path
from .inner import LBFGS, GradientDescent, InnerDivergence, Momentum, NewtonCG
from .inner import Adam as InnerAdam
from .kernels import device_stage
from .meta_gradients import (
    IMAML,
    MAML,
    FirstOrderMAML,
    MetaGradient,
    NotPositiveDefinite,
    ProximalObjective,
    PullBackDescent,
    ReleasedIMAML,
    Reptile,
    TaskLoss,
    adapt,
    implicit_gradient,
    implicit_gradient_at,
    unrolled_gradient,
)
from .networks import Network, SoftmaxCrossEntropy, SquaredError, architectures
from .optimizers import SGD, Adam
from .runs import load_run
from .solvers import (
    CG,
    MINRES,
    CertifiedCG,
    Dense,
    Jacobi,
    Neumann,
    Nystrom,
    PreconditionedCG,
    Woodbury,
    cg,
    cg_batched,
)
from .training import evaluate, meta_train

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
    "Jacobi",
    "MetaGradient",
    "Momentum",
    "Network",
    "Neumann",
    "NewtonCG",
    "NotPositiveDefinite",
    "Nystrom",
    "PreconditionedCG",
    "ProximalObjective",
    "PullBackDescent",
    "ReleasedIMAML",
    "Reptile",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "TaskBatch",
    "TaskLoss",
    "Woodbury",
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
    "weights",
]
