"""A product of two 4096 × 4096 matrices by NumPy's BLAS: what the machine can do."""

import numpy as np

from .problem import Contender, Problem

ORDER = 4096
GIGAFLOP = 2 * ORDER**3 / 1e9


def build(problem: Problem, order: int = ORDER) -> Contender:
    """Return the product in place of a contender; of the problem it takes the dtype."""
    rng = np.random.default_rng(1)
    a, b = rng.uniform(size=(2, order, order)).astype(problem.theta.dtype)
    out = np.empty_like(a)
    return Contender(lambda: np.matmul(a, b, out=out), lambda: out, lambda g: g)
