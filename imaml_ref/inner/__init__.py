"""Inner optimisers: one file each; all minimise G(φ; θ) of (1) for every task."""

from .base import InnerDivergence, check_inner, solve
from .gradient_descent import Adam, GradientDescent, Momentum
from .lbfgs import LBFGS
from .newton_cg import NewtonCG

__all__ = [
    "LBFGS",
    "Adam",
    "GradientDescent",
    "InnerDivergence",
    "Momentum",
    "NewtonCG",
    "check_inner",
    "solve",
]
