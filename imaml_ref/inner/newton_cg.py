"""Newton-CG with a line search: the paper's Hessian-free inner optimiser.

At φ_k the direction d solves (H + Λ) d = −∇G by a few steps of CG, preconditioned with
Λ⁻¹ and truncated at negative curvature, so that d is a direction of descent.  Then

    φ_{k+1} = φ_k + s d,   s the first of 1, ½, ¼, … with
    G(φ_k + s d) ≤ G(φ_k) + c s ⟨∇G, d⟩                                              (1)

Near rounding the values in (1) no longer tell better from worse; there a step counts if
it lowers ‖∇G‖, and only then.  A task for which no s will do stays where it is: it is
done, for the next direction would be the same one.  It is done as well where

    ‖∇G‖ ≤ max(tol, ε (‖∇L‖ + ‖Λ (φ − θ)‖))                                          (2)

since ∇G is the sum of two vectors that are rounded by as much.

Sources: Rajeswaran et al., NeurIPS 2019, section 5 ("Hessian-free": 5 CG steps and a
line search; never released); Nocedal & Wright, Numerical Optimization, algorithm 7.1.
"""

from dataclasses import dataclass

from ..arguments import Settings, number, setting, whole
from ..compute import Array, array_module, norm
from ..solvers import cg_batched
from .base import check_progress, starting_point


@dataclass(frozen=True)
class NewtonCG(Settings):
    """Truncated Newton steps, all tasks at once.

    Args:
        num_steps: Newton steps at most.
        cg_steps: CG steps for each direction, at most.
        tol: A task is done when ‖∇G‖ is not above, in loss/parameter; 0 for (2).
        max_halvings: Trials of the line search beyond s = 1.
        slope: c of (1), in (0, ½).

    Raises:
        ValueError: If a setting is out of its range.
    """

    num_steps: int = setting(whole(0), 5)
    cg_steps: int = setting(whole(), 5)
    tol: float = setting(number("[0, inf)"), 0.0)
    max_halvings: int = setting(whole(0), 20)
    slope: float = setting(number("(0, 0.5)"), 1e-4)

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
            done = norms[-1] <= self._floor(at)
            if bool(done.all()):
                break
            d = self._direction(objective, at)
            s = self._length(objective, phi, at, d, done)
            if not bool((s > 0).any()):
                break
            phi = phi + s[:, None] * d
        check_progress(norms, objective, phi_0, "raise lam, or start elsewhere")
        return phi

    def _direction(self, objective, at) -> Array:
        """Return d (T, P)."""
        # Of a scalar only what is truncated at its first direction, d = −∇G/λ, depends.
        lam = objective.lam
        plain = not hasattr(lam, "shape") and lam == 0
        d, _ = cg_batched(
            at.hvp,
            -at.grad,
            rtol=0.0,
            maxiter=self.cg_steps,
            M=None if plain else 1 / lam,
            on_negative_curvature="truncate",
        )
        return d

    def _floor(self, at) -> Array:
        """Return the right-hand side of (2), (T,)."""
        xp, pull = array_module(at.grad), at.grad - at.support.grad
        parts = norm(at.support.grad) + norm(pull)
        return xp.maximum(xp.finfo(parts.dtype).eps * parts, self.tol)

    def _length(self, objective, phi, at, d, done) -> Array:
        """Return s of (1), (T,); 0 for tasks that are done, or that no s will do."""
        xp = array_module(phi)
        descent = (at.grad * d).sum(-1)
        settled = done
        s = xp.ones_like(at.value)
        for _ in range(self.max_halvings + 1):
            trial = objective.linearize(phi + s[:, None] * d)
            lower = trial.value <= at.value + self.slope * s * descent
            close = self._close(xp, at, trial)
            better = xp.where(close, norm(trial.grad) < norm(at.grad), lower)
            settled = settled | better
            if bool(settled.all()):
                break
            s = xp.where(settled, s, s / 2)
        return xp.where(settled & ~done, s, 0)

    def _close(self, xp, at, trial) -> Array:
        """Say where G is equal to rounding."""
        rounding = 8 * xp.finfo(at.value.dtype).eps * xp.abs(at.value)
        return xp.abs(trial.value - at.value) <= rounding
