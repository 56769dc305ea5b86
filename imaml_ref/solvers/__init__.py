"""Solvers for A x = b, one symmetric system per task."""

from .batched import CG, cg_batched
from .certified import CertifiedCG
from .cg import cg
from .dense import Dense, dense_matrix
from .info import SolverInfo, Status
from .lanczos import smallest_eigenvalue
from .minres import MINRES

__all__ = [
    "CG",
    "MINRES",
    "CertifiedCG",
    "Dense",
    "SolverInfo",
    "Status",
    "cg",
    "cg_batched",
    "dense_matrix",
    "smallest_eigenvalue",
]
