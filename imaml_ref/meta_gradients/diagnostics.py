"""What is measured with every meta-gradient, per task.

r₁ = ‖∇G(φ)‖ says how stationary φ is, r₂ = ‖v − (H + Λ) x‖ how well (5) is solved.  The
smallest Ritz value is an *upper* bound on λ_min of the operator that was solved, which
damping, Gauss-Newton and ``Released`` change: but for rounding, a product with pᵀAp ≤ 0
means that it is not positive definite; the absence of one means nothing.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy

from ..arguments import Brief
from ..compute import Array, array_module, in_units, to_host

# Fields of ``Diagnostics``, and what they are called in a ``SolverInfo``.
MEASURED = {"solver_residual": "residual", "smallest_ritz": "smallest_ritz"}
COUNTED = {n: n for n in ("negative_curvature", "num_products", "status")}


@dataclass(frozen=True, repr=False)
class Diagnostics(Brief):
    """Measured residuals and what they mean; arrays are (T,), on the host.

    Args:
        inner_residual: r₁, in loss/parameter; of L alone where there is no Λ.
        solver_residual: r₂ as the solver reports it, in loss/parameter; NaN without.
            Of ``CG`` it is the recursion's, which goes on falling where rounding has
            stopped the true one; the other solvers measure it.
        smallest_ritz: Smallest Ritz value, an upper bound of λ_min of the operator, in
            loss/parameter² (for a λ per parameter: of Λ^−½ (H + Λ) Λ^−½); NaN without.
        cosine: cos(g, v), the angle to the first-order direction; NaN where g or v is
            zero.
        negative_curvature: Products with pᵀAp ≤ 0.
        num_products: Products with the operator, all in all.
        status: The solver's status, ``solvers.Status``; 0 without a solver.
        query_loss: Q(φ).
        support_loss: L(φ).
        query_accuracy: Share of right answers on the query set; NaN for a regression.
        bound: Proven bound of ‖g − g*‖, or None where there is none.
        bound_reason: Why there is a bound, or none.
        estimator: What was solved, in words.
        curvature: "hessian", "gauss-newton" or "none".
        damping: Added to Λ in the operator, in loss/parameter²; 0 is (5) itself.
    """

    inner_residual: Array
    solver_residual: Array
    smallest_ritz: Array
    cosine: Array
    negative_curvature: Array
    num_products: Array
    status: Array
    query_loss: Array
    support_loss: Array
    query_accuracy: Array
    bound: Array | None
    bound_reason: str
    estimator: str
    curvature: str
    damping: float

    @staticmethod
    def joined(parts: list["Diagnostics"]) -> "Diagnostics":
        """Return the diagnostics of all tasks from those of chunks, in order."""
        together: dict[str, Any] = {}
        for name in (f.name for f in fields(Diagnostics)):
            values = [getattr(part, name) for part in parts]
            if all(isinstance(v, numpy.ndarray) for v in values):
                together[name] = numpy.concatenate(values)
        return replace(parts[0], **together)


def solver_fields(info, num_tasks: int) -> dict[str, numpy.ndarray]:
    """Return what a solver reports as fields of ``Diagnostics``; info may be None."""
    if info is None:
        unknown, none = numpy.full(num_tasks, numpy.nan), numpy.zeros(num_tasks, int)
        return dict.fromkeys(MEASURED, unknown) | dict.fromkeys(COUNTED, none)
    of_solver = MEASURED | COUNTED
    return {name: to_host(getattr(info, said)) for name, said in of_solver.items()}


def cosine(a: Array, b: Array) -> Array:
    """Return ⟨a, b⟩ / (‖a‖ ‖b‖) over the last axis; NaN where either is zero."""
    xp = array_module(a, b)
    a, b = (in_units(v)[0] for v in (a, b))
    lengths = ((a * a).sum(-1) * (b * b).sum(-1)) ** 0.5
    zero = lengths == 0
    return xp.where(zero, numpy.nan, (a * b).sum(-1) / xp.where(zero, 1, lengths))
