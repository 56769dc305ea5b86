"""Solvers for A x = b, one symmetric system per task.

Knows products with A.  Must not know where A comes from: no network, no λ.
"""

from ..compute import norm
from .batched import CG, cg_batched
from .certified import CertifiedCG
from .cg import cg
from .dense import Dense, dense_matrix
from .diagnostics import described
from .info import SolverInfo, Status
from .lanczos import smallest_eigenvalue
from .minres import MINRES
from .recurrence import RUNNING, Record
from .system import CONDUCTS, preconditioner

__all__ = [
    "CG",
    "CONDUCTS",
    "MINRES",
    "RUNNING",
    "CertifiedCG",
    "Dense",
    "Record",
    "SolverInfo",
    "Status",
    "cg",
    "cg_batched",
    "dense_matrix",
    "described",
    "norm",
    "preconditioner",
    "smallest_eigenvalue",
]
