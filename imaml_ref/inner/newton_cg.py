"""Newton-CG with a line search: the paper's Hessian-free inner optimiser.

At φ_k the direction d solves (H + Λ) d = −∇G by a few steps of CG, preconditioned with
Λ⁻¹ and truncated at negative curvature, so that d is a direction of descent.  Then

    φ_{k+1} = φ_k + s d,   s the first of 1, ½, ¼, … with
    G(φ_k + s d) ≤ G(φ_k) + c s ⟨∇G, d⟩                                              (1)

Near rounding the values in (1) no longer tell better from worse; there a step counts as
well if it lowers ‖∇G‖.  A task for which no s will do stays where it is.

Sources: Rajeswaran et al., NeurIPS 2019, section 5 ("Hessian-free": 5 CG steps and a
line search; never released); Nocedal & Wright, Numerical Optimization, algorithm 7.1.
"""

from dataclasses import dataclass

from ..backend import Array, array_module
from ..settings import number, settle, whole
from ..solvers import cg_batched
from .base import check_progress, norm, starting_point


@dataclass(frozen=True)
class NewtonCG:
    """Truncated Newton steps, all tasks at once.

    Args:
        num_steps: Newton steps at most.
        cg_steps: CG steps for each direction, at most.
        tol: A task is done when ‖∇G‖ is below, in loss/parameter.
        max_halvings: Trials of the line search beyond s = 1.
        slope: c of (1), in (0, ½).

    Raises:
        ValueError: If a setting is out of its range.
    """

    num_steps: int = 5
    cg_steps: int = 5
    tol: float = 0.0
    max_halvings: int = 20
    slope: float = 1e-4

    def __post_init__(self):
        settle(
            self,
            num_steps=whole(0),
            cg_steps=whole(),
            tol=number("[0, inf)"),
            max_halvings=whole(0),
            slope=number("(0, 0.5)"),
        )

    def solve(self, objective, theta: Array, start: Array | None = None) -> Array:
        """Return φ (T, P).

        Raises:
            InnerDivergence: If ‖∇G‖ overflows, or grows a thousandfold.
        """
        phi = phi_0 = starting_point(objective, theta, start)
        norms: list[Array] = []
        for _ in range(self.num_steps):
            at = objective.linearize(phi)
            norms.append(norm(at.grad))
            if bool((norms[-1] <= self.tol).all()):
                break
            phi = self._search(objective, phi, at, self._direction(objective, at))
        check_progress(norms, objective, phi_0, "raise lam, or start elsewhere")
        return phi

    def _direction(self, objective, at) -> Array:
        """Return d (T, P)."""
        # A scalar preconditioner changes no iterate.
        scalar = not hasattr(objective.lam, "shape")
        d, _ = cg_batched(
            at.hvp,
            -at.grad,
            rtol=0.0,
            maxiter=self.cg_steps,
            M=None if scalar else 1 / objective.lam,
            on_negative_curvature="truncate",
        )
        return d

    def _search(self, objective, phi, at, d) -> Array:
        """Return φ + s d with s of (1), per task."""
        xp = array_module(phi)
        descent = (at.grad * d).sum(-1)
        settled = norm(at.grad) <= self.tol
        s = xp.ones_like(at.value)
        for _ in range(self.max_halvings + 1):
            trial = objective.linearize(phi + s[:, None] * d)
            lower = trial.value <= at.value + self.slope * s * descent
            settled |= lower | self._close_enough(xp, at, trial)
            if bool(settled.all()):
                break
            s = xp.where(settled, s, s / 2)
        s = xp.where(settled & (norm(at.grad) > self.tol), s, 0)
        return phi + s[:, None] * d

    def _close_enough(self, xp, at, trial) -> Array:
        """Say where G is equal to rounding and ‖∇G‖ is lower."""
        rounding = 8 * xp.finfo(at.value.dtype).eps * xp.abs(at.value)
        same = xp.abs(trial.value - at.value) <= rounding
        return same & (norm(trial.grad) < norm(at.grad))
