"""Solvers for A x = b, one symmetric system per task.

Knows products with A.  Must not know where A comes from: no network, no λ.
"""

from ..compute import norm
from .batched import CG, cg_batched
from .certified import CertifiedCG, PreconditionedCG
from .cg import cg
from .dense import Dense, dense_matrix
from .diagnostics import described
from .info import SolverInfo, Status
from .lanczos import smallest_eigenvalue
from .minres import MINRES
from .neumann import Neumann
from .nystrom import Nystrom
from .recurrence import RUNNING, Record
from .system import CONDUCTS, preconditioner
from .woodbury import Factor, Jacobi, Woodbury

__all__ = [
    "CG",
    "CONDUCTS",
    "MINRES",
    "RUNNING",
    "CertifiedCG",
    "Dense",
    "Factor",
    "Jacobi",
    "Neumann",
    "Nystrom",
    "PreconditionedCG",
    "Record",
    "SolverInfo",
    "Status",
    "Woodbury",
    "cg",
    "cg_batched",
    "dense_matrix",
    "described",
    "norm",
    "preconditioner",
    "smallest_eigenvalue",
]
