"""From v = ∇Q(φ) to a meta-gradient g, at a given φ: the estimators, by name.

    implicit       (H + Λ) x = v,  g = Λ x               (5), the paper's operator
    first order    g = v
    released       ((1 + c) I + H / (λ + d)) g = v       what the released code solves
    displacement   g = θ − φ                             Reptile

``estimate`` takes the linearisation of (1) at φ, and v.

H is the Hessian of the support loss at φ, or, where the name says so, the Gauss-Newton
operator G.  CG on the first runs preconditioned with Λ⁻¹: for scalar λ its iterates are
the paper's on (I + H/λ) g = v, equation (6).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..arguments import (
    Settings,
    brief,
    having,
    number,
    one_of,
    optional,
    setting,
    whole,
)
from ..compute import Array, check_array
from ..solvers import CG, Status

CURVATURES = {"hessian": "hvp", "gauss-newton": "gnvp"}
SOLVER, CURVATURE = having("solve", "CG()"), one_of(CURVATURES)
STEPS, NOT_NEGATIVE = whole(), number("[0, inf)")


def layer_names(name: str, value: Any) -> tuple[str, ...]:
    """Return names of layers; what is no sequence is one, refused in ``partial``."""
    one = isinstance(value, str) or not hasattr(value, "__iter__")
    return (value,) if one else tuple(value)


def only_in(adapted: tuple[str, ...] | None) -> str:
    """Say which layers adapt, where not all do."""
    return "" if adapted is None else f", adapting {', '.join(map(str, adapted))} only"


ADAPTED = optional(layer_names)


class Estimate(NamedTuple):
    """g (T, P), x for (7) where g is that of (5), else None, and the solver's info."""

    g: Array
    x: Array | None
    info: Any


class NotPositiveDefinite(ArithmeticError):
    """H + Λ has a direction of negative curvature, and the solver was to refuse it."""


class Estimator(Settings):
    """What the estimators share: a name, a curvature, and who looks at the solver."""

    name: Any
    curvature: Any = "none"
    damping: Any = 0.0
    adapted: Any = None

    def check(self, infos: list, lam) -> None:
        """Raise if what the solver says must not pass; here nobody looks."""


@dataclass(frozen=True)
class Implicit(Estimator):
    """The implicit meta-gradient (5).

    Args:
        solver: Solves (H + Λ) x = v for every task, such as ``CG(maxiter=5)``.
        curvature: "hessian" for H, "gauss-newton" for G in its place.
        damping: Added to Λ in the operator, in loss/parameter²; another estimator
            than (5) where it is not 0.
        adapted: Names of the layers that the inner loop moves, (16); None is all.

    Raises:
        ValueError: If the solver is none, the curvature has another name, or the
            damping is negative.
    """

    solver: Any = setting(SOLVER, make=CG)
    curvature: str = setting(CURVATURE, "hessian")
    damping: float = setting(NOT_NEGATIVE, 0.0)
    adapted: Any = setting(ADAPTED, None)

    @property
    def name(self) -> str:
        """What is solved, in words."""
        operator = "H" if self.curvature == "hessian" else "Gauss-Newton"
        damped = f" + {self.damping:g}" if self.damping else ""
        solved = f"implicit, ({operator} + λ{damped}) x = v by {self.solver.name}"
        return solved + only_in(self.adapted)

    def estimate(self, at, v: Array) -> Estimate:
        """Return g = Λ x for v (T, P), at the linearisation of (1)."""
        product = CURVATURES[self.curvature]
        found = at.solve(self.solver, product, v, self.damping)
        x, info = checked_solution(self.solver, found, v)
        return Estimate(at.pulled_back(x, product, v), x, info)

    def check(self, infos: list, lam) -> None:
        """Raise if the solver was to refuse negative curvature and met it.

        Args:
            infos: What it said of the chunks so far; the last one is looked at.
            lam: λ, a number or (P,).

        Raises:
            NotPositiveDefinite: Naming the first such task, counted over all chunks.
        """
        if getattr(self.solver, "on_negative_curvature", None) != "refuse":
            return
        if (infos[-1].status == Status.NEGATIVE_CURVATURE).any():
            info = type(infos[-1]).concatenate(infos)
            task = int((info.status == Status.NEGATIVE_CURVATURE).argmax())
            scalar = None if hasattr(lam, "shape") else lam
            raise NotPositiveDefinite(info.message(task, lam=scalar))


@dataclass(frozen=True)
class FirstOrder(Estimator):
    """g = v: the direction without the solve, and no derivative in λ.

    Args:
        adapted: As in ``Implicit``.
    """

    adapted: Any = setting(ADAPTED, None)

    @property
    def name(self) -> str:
        """What it is, in words."""
        return "first order, g = v" + only_in(self.adapted)

    def estimate(self, at, v: Array) -> Estimate:
        """Return g = v (T, P)."""
        return Estimate(v, None, None)


@dataclass(frozen=True)
class Released(Estimator):
    """((1 + c) I + H/(λ + d)) g = v by plain CG: the released code's operator.

    It is here to reproduce and to explain other people's numbers.  With its c = 1 and
    d = 10 it is close to a multiple of the identity, and g nearly parallel to v.  It is
    not Λ x of (5), so (7) makes no derivative in λ of it.

    Args:
        cg_steps: CG steps.
        c: ``cg_damping`` of the released code.
        d: ``lam_damping`` of the released code, in loss/parameter².

    Raises:
        ValueError: If a setting is out of its range.
    """

    cg_steps: int = setting(STEPS, 5)
    c: float = setting(NOT_NEGATIVE, 1.0)
    d: float = setting(NOT_NEGATIVE, 10.0)

    curvature = "hessian"

    @property
    def name(self) -> str:
        """What is solved, in words."""
        return (
            f"released, ((1 + {self.c:g}) I + H/(λ + {self.d:g})) g = v "
            f"by {self.cg_steps} CG steps"
        )

    def estimate(self, at, v: Array) -> Estimate:
        """Return g (T, P).

        Raises:
            ValueError: If there is a λ per parameter.
        """
        one_strength(at.lam)
        g, info = CG(maxiter=self.cg_steps).solve(
            lambda p: (1 + self.c) * p + at.support.hvp(p) / (at.lam + self.d), v
        )
        return Estimate(g, None, info)


@dataclass(frozen=True)
class Displacement(Estimator):
    """g = θ − φ: Reptile's direction, which asks for no gradient of the query set."""

    name = "displacement, g = θ − φ"

    def estimate(self, at, v: Array) -> Estimate:
        """Return g = θ − φ (T, P)."""
        return Estimate(-at.away, None, None)


def one_strength(lam) -> None:
    """Refuse a λ per parameter where the operator takes one.

    Raises:
        ValueError: If there is one.
    """
    if hasattr(lam, "shape"):
        raise ValueError(
            "the released operator takes one λ, a number: I + Λ⁻¹H is not "
            f"symmetric, and CG needs that; got lam of shape {lam.shape}"
        )


def checked_solution(solver, found: Any, v: Array) -> tuple[Array, Any]:
    """Return the x (T, P) and the info that a solver returned.

    Raises:
        TypeError: If it returned something else, or x of another dtype than v.
        ValueError: If x has not the shape of v.
    """
    who = f"the solver {type(solver).__name__}"
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(f"{who} must return x and a SolverInfo, got {brief(found)}")
    x, info = found
    check_array(f"x of {who}", x)
    if x.shape != v.shape:
        raise ValueError(f"{who} returned x {x.shape}, not {v.shape}")
    if x.dtype != v.dtype:
        raise TypeError(f"{who} returned x of dtype {x.dtype}, not {v.dtype}")
    return x, info
