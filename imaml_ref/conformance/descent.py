"""Where plain descent from θ arrives: a third route to φ*, without a product with H.

    φ ← φ − η ∇G(φ),   φ = θ at first                                                (1)

with η small beside 1/λ.  Where G has several minima, Newton's method can step across a
kink or a ridge into another one; the format promises the one that descent arrives at.
"""

import numpy

from .case import Array, Case
from .computation import Computation

STEP = 0.1  # of η = STEP / λ, the largest λ where there are many
STEPS, RESOLVED = 5000, 1e-9  # |∇G| at which (1) ends


def astray(case: Case) -> float:
    """Return how far φ* is from where (1) arrives, relative, at most over the tasks.

    It is 0 for a linear model: there G is convex, and has one minimum.
    """
    if len((case.network or {})["layers"]) == 1:
        return 0.0
    found = [
        numpy.linalg.norm(arrived(group) - group.solution, axis=1)
        / numpy.linalg.norm(group.solution, axis=1)
        for group in case.groups
    ]
    return float(numpy.concatenate(found).max())


def arrived(case: Case) -> Array:
    """Return where (1) ends, (T, P)."""
    ours, step = Computation(), STEP / float(numpy.max(case.lam))
    phi = ours.start(case)
    for _ in range(STEPS):
        slope = ours.inner_gradient(case, phi)
        if numpy.abs(slope).max() < RESOLVED:
            break
        phi = phi - step * slope
    return phi
