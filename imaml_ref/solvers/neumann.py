"""The Neumann series for A x = b, one symmetric system per task.

With η > 0, J = I − η A and r_k = b − A x_k, from any x₀,

    x_(k+1) = x_k + η r_k,   r_(k+1) = J r_k                                        (1)

From x₀ = 0 this is x_K = η Σ_(j<K) Jʲ b, and as Σ_(j<K) Jʲ (I − J) = I − J^K, what is
left is A⁻¹ b − x_K = J^K A⁻¹ b.  It converges for every b exactly if all |1 − η a| < 1
for eigenvalues a of A: if A is positive definite and 0 < η < 2/λ_max.  Whether it does,
the residuals themselves tell.  In an eigenbasis of A

    ‖r_k‖² = Σ_i (1 − η a_i)^(2k) β_i²   ⇒   ‖r_k‖² ≤ ‖r_(k−1)‖ ‖r_(k+1)‖            (2)

by Cauchy and Schwarz: ‖r_(k+1)‖/‖r_k‖ never falls.  Once above 1 it stays there, and
the series diverges; where all |1 − η a_i| < 1, it never is.  So the first residual that
grows ends the task, before that step, at the least residual of all partial sums.

Source, for implicit gradients: Lorraine, Vicol & Duvenaud, AISTATS 2020.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..arguments import Settings, number, setting, whole
from ..compute import Array, array_module, in_units, norm
from .info import SolverInfo, Status
from .measured import measured
from .recurrence import RUNNING
from .system import TOLERANCE, Matvec, column, make_system, product


@dataclass(frozen=True)
class Neumann(Settings):
    """``maxiter`` terms of x = η Σ (I − η A)ʲ b, or fewer if a tolerance is met.

    CONVERGED means that the true residual passed, for one more product.  DIVERGED: A
    has an eigenvalue < 0 or > 2/η, by (2); x is the partial sum of least residual.

    Args:
        step_size: η, in units of 1/A: parameter²/loss.
        maxiter: Most terms, K.
        rtol: Tolerance relative to ‖b‖₂, without unit; 0 for ``maxiter`` terms.
        atol: Absolute tolerance, in units of b.
    """

    step_size: float = setting(number("(0, inf)"))
    maxiter: int = setting(whole(), 20)
    rtol: float = setting(TOLERANCE, 0.0)
    atol: float = setting(TOLERANCE, 0.0)
    name: ClassVar[str] = "Neumann series"

    def solve(
        self, matvec: Matvec, b: Array, M: Any = None, *, x0=None, callback=None
    ) -> tuple[Array, SolverInfo]:
        """Solve A x = b for every task, as ``cg_batched``; M has no effect."""
        system = make_system(matvec, b, x0, rtol=self.rtol, atol=self.atol)
        xp, x, r = array_module(b), system.x0, system.r0
        # Half of it is left for rounding: what is true in the end is another r.
        enough = system.tolerance / 2
        status = judged(enough, norm(r), norm(r))
        steps = products = xp.zeros_like(status)
        for _ in range(self.maxiter):
            active = status == RUNNING
            if not active.any():
                break
            d, size = in_units(r)
            after = (d - self.step_size * product(matvec, d)) * column(size)
            found = judged(enough, norm(r), norm(after))
            moves = active & (found <= RUNNING)
            status = xp.where(active, found, status)
            x = xp.where(column(moves), x + self.step_size * r, x)  # (1)
            r = xp.where(column(moves), after, r)
            steps, products = steps + moves, products + active
            if callback is not None:
                callback(x * column(system.unit))
        return measured(system, x, status, steps, products)


def judged(tolerance: Array, before: Array, after: Array) -> Array:
    """Return the status that two residuals in a row, (T,), lead to: (2)."""
    xp = array_module(after)
    # Rounding may let a residual grow that stands still.
    grows = after > (1 + xp.finfo(after.dtype).eps ** 0.5) * before
    status = xp.where(after <= tolerance, int(Status.CONVERGED), RUNNING)
    status = xp.where(grows, int(Status.DIVERGED), status)
    return xp.where(xp.isfinite(after), status, int(Status.NOT_FINITE))
