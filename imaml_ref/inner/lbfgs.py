"""L-BFGS: SciPy's, one task at a time, on the host in float64.

Source: Byrd, Lu, Nocedal & Zhu, "A limited memory algorithm for bound constrained
optimization", SIAM Journal on Scientific Computing 16(5):1190-1208, 1995.
"""

from dataclasses import dataclass

import numpy

from ..arguments import Settings, number, setting, whole
from ..compute import Array, array_module, to_device, to_host
from .base import InnerDivergence, starting_point


@dataclass(frozen=True)
class LBFGS(Settings):
    """Minimise G with ``scipy.optimize.minimize(method="L-BFGS-B")``.

    Its line search asks the values of G, so it ends, whatever ``tol`` is, where no
    step lowers G by more than G is rounded: there ‖∇G‖ is still about (ε G h)^(1/2) for
    a curvature h, which is 1e-8 in float64 and 1e-4 to 1e-3 in float32 where G and h
    are of size 1.  For more digits go on from its φ with ``NewtonCG``, whose last steps
    ask the gradient.

    Args:
        maxiter: Iterations at most, per task.
        tol: Stop when the largest entry of |∇G| is below, in loss/parameter; what the
            values of G do not reach, no ``tol`` does.
        memory: Pairs of vectors kept.

    Raises:
        ValueError: If a setting is out of its range.
    """

    maxiter: int = setting(whole(), 100)
    tol: float = setting(number("[0, inf)"), 1e-10)
    memory: int = setting(whole(), 20)

    def solve(self, objective, theta: Array, start: Array | None = None) -> Array:
        """Return φ (T, P) in the dtype of θ.

        Raises:
            InnerDivergence: If G or ∇G is not finite at the end.
        """
        phi_0 = to_host(starting_point(objective, theta, start))
        found = [
            self._solve_one(objective.task(t), theta, phi_0[t], t)
            for t in range(len(objective))
        ]
        phi = numpy.stack(found).astype(theta.dtype)
        return phi if array_module(theta) is numpy else to_device(phi)

    def _solve_one(self, objective, theta, phi_0, task):
        """Return φ (P,) of one task.

        Raises:
            InnerDivergence: If G or φ is not finite at the end.
        """
        from scipy.optimize import minimize  # a third of the time to import the package

        on_host = array_module(theta) is numpy

        def value_and_gradient(flat):
            phi = flat.astype(theta.dtype)[None]
            at = objective.linearize(phi if on_host else to_device(phi))
            value, grad = to_host(at.value)[0], to_host(at.grad)[0]
            return float(value), grad.astype(numpy.float64)

        # ftol = 0: as far as G's rounding lets it go; the meta-gradient depends on ∇G.
        result = minimize(
            value_and_gradient,
            phi_0.astype(numpy.float64),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": self.maxiter,
                "maxfun": 20 * self.maxiter,
                "maxcor": self.memory,
                "gtol": self.tol,
                "ftol": 0.0,
            },
        )
        if not numpy.isfinite(result.fun) or not numpy.isfinite(result.x).all():
            raise InnerDivergence(
                f"L-BFGS diverged in iteration {result.nit}: G = {result.fun}; "
                "raise lam or start closer to θ",
                int(result.nit),
                task,
            )
        return result.x
