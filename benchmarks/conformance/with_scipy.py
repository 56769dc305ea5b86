"""SciPy's conjugate gradients at L3."""

import warnings

from scipy.sparse.linalg import cg

from .subjects import Variant

PACKAGES = ("scipy",)


class Solver:
    """``scipy.sparse.linalg.cg``; what its ``info`` says is passed on as a warning."""

    def __init__(self, name, **settings):
        self.name, self.settings = name, settings

    def solve(self, A, b):
        x, info = cg(A, b, **self.settings)
        if info:
            warnings.warn(f"cg returned info = {info}", stacklevel=2)
        return x.astype(b.dtype)


VARIANTS = {
    "tight": Variant("cg(A, b, rtol=1e-15)", lambda: Solver("SciPy cg", rtol=1e-15)),
    "shipped": Variant("cg(A, b): rtol=1e-5", lambda: Solver("SciPy cg, as shipped")),
}
