"""A large product of two matrices in float32, TF32 off: what the card can do."""

import numpy as np

from ..shared.problem import Contender, Problem
from .place import Place

ORDER = {"cuda": 8192, "cpu": 512}


def build(problem: Problem, device: str) -> Contender:
    """Return the product in place of a contender; of the problem it takes the dtype."""
    place, order = Place(device), ORDER[device]
    rng, dtype = np.random.default_rng(1), problem.theta.dtype
    a, b = (place.put(rng.random((order, order), dtype)) for _ in range(2))
    out = place.xp.empty_like(a)

    def step():
        place.xp.matmul(a, b, out=out)
        place.wait()
        return out

    return Contender(step, step, place.fetch)


def gigaflop(device: str) -> float:
    """Return the operations of the product, in 1e9."""
    return 2 * ORDER[device] ** 3 / 1e9
