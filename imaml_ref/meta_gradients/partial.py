"""Some layers adapt, the others stay: ANIL, BOIL.

Let a be the parameters that the inner loop moves and f those that it may not.  (1) is
then a problem in φ_a alone, with φ_f = θ_f, and (3) its rows a:

    ∇_a L(φ) + Λ_a (φ_a − θ_a) = 0

for every θ, so that the derivatives of it in θ_a and in θ_f vanish:

    (H_aa + Λ_a) dφ_a/dθ_a = Λ_a,   (H_aa + Λ_a) dφ_a/dθ_f = −H_af,   dφ_f/dθ_f = I

Transposed, on v = ∇Q(φ), with H_fa = H_afᵀ,

    (H_aa + Λ_a) x_a = v_a,   g_a = Λ_a x_a,   g_f = v_f − H_fa x_a                 (16)

and (7) in a.  θ_f acts twice: in the query loss, and on where φ_a goes.  A large λ on f
tends to this and is not it: φ_f moves, and descent contracts for α < 2/λ_f only.  With
G for H the rows of G take the place of those of H, also in g_f.

Sources: Raghu et al., "Rapid Learning or Feature Reuse?", ICLR 2020 (ANIL: a is the
head); Oh et al., "BOIL", ICLR 2021 (a is all but the head).
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from ..arguments import brief
from ..compute import Array, array_module
from .estimators import checked_solution
from .objective import ProximalLinearization, ProximalObjective


def moved_by(loss, adapted: tuple[str, ...] | None, theta: Array) -> Array | None:
    """Return the indices a, (P_a,), beside θ; None where all parameters move.

    Raises:
        ValueError: If there is no name, or one of no layer with parameters.
    """
    if adapted is None:
        return None
    layout = getattr(getattr(loss, "net", None), "layout", None)
    layers = layout.layers if layout else {}
    for name in adapted or [None]:
        if name not in layers:
            known = ", ".join(layers) or f"none in {brief(loss)}"
            raise ValueError(
                f"adapted names no layer with parameters: {name!r}; there are {known}"
            )
    if set(adapted) == set(layers):
        return None
    # Made where θ is: an array that comes from the host would have to be waited for.
    xp, moved = array_module(theta), [s for n, s in layers.items() if n in adapted]
    return xp.concatenate([xp.arange(s.start, s.stop) for s in moved])


def restricted(objective: ProximalObjective, moving: Array | None) -> ProximalObjective:
    """Return G as a function of φ_a, or as it is where all parameters move."""
    if moving is None:
        return objective
    parts = {f.name: getattr(objective, f.name) for f in fields(ProximalObjective)}
    return PartialObjective(moving=moving, **parts)


@dataclass(frozen=True, repr=False)
class PartialObjective(ProximalObjective):
    """G of (1) as a function of φ_a: its gradient is 0 in f, and nothing moves there.

    Args:
        moving: The indices a, (P_a,).
    """

    moving: Array

    @cached_property
    def mask(self) -> Array:
        """True in a, (P,)."""
        mask = array_module(self.theta).zeros(self.theta.shape, bool)
        mask[self.moving] = True
        return mask

    def only(self, v: Array) -> Array:
        """Return v (T, P) in a, 0 in f."""
        return array_module(v).where(self.mask, v, 0)

    def linearize(self, phi: Array) -> "PartialLinearization":
        """Return G, its gradient and its curvature in φ_a, at φ (T, P)."""
        return PartialLinearization(self, phi)

    def grad(self, phi: Array) -> Array:
        """Return ∇_a G, (T, P)."""
        return self.only(super().grad(phi))


class PartialLinearization(ProximalLinearization):
    """G at φ as a function of φ_a; ``support`` is L as a function of φ."""

    def __init__(self, objective: PartialObjective, phi: Array):
        super().__init__(objective, phi)
        self.objective = objective
        self.grad = objective.only(self.grad)

    def hvp(self, v: Array) -> Array:
        """Return (H_aa + Λ_a) v_a, (T, P)."""
        only = self.objective.only
        return only(super().hvp(only(v)))

    def solve(self, solver: Any, curvature: str, v: Array, damping: float) -> Any:
        """Return x (T, P) of (16), 0 in f, and what the solver says; as in the base."""
        a, product = self.objective.moving, getattr(self.support, curvature)
        shift = self.lam + damping
        shift = shift[a] if hasattr(shift, "shape") else shift

        def embedded(x_a: Array) -> Array:
            x = array_module(v).zeros_like(v)
            x[:, a] = x_a
            return x

        def matvec(p: Array) -> Array:
            return product(embedded(p))[:, a] + shift * p

        found = solver.solve(matvec, v[:, a], M=1 / shift)
        x_a, info = checked_solution(solver, found, v[:, a])
        return embedded(x_a), info

    def pulled_back(self, x: Array, curvature: str, v: Array) -> Array:
        """Return g (T, P) of (16)."""
        rest = v - getattr(self.support, curvature)(x)
        return array_module(v).where(self.objective.mask, self.lam * x, rest)
