"""Inner optimisers: one file each; all minimise G(φ; θ) of (1) for every task.

Knows an objective by its value, gradient and products.  Must not know the network
behind it, nor what the outer loop makes of φ.
"""

from ..compute import norm
from .base import (
    InnerDivergence,
    check_inner,
    counting_from,
    solve,
    starting_point,
)
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
    "counting_from",
    "norm",
    "solve",
    "starting_point",
]
