"""Solvers for A x = b, one symmetric system per task."""

from .batched import CG, cg_batched
from .dense import Dense, dense_matrix
from .info import SolverInfo, Status

__all__ = ["CG", "Dense", "SolverInfo", "Status", "cg_batched", "dense_matrix"]
