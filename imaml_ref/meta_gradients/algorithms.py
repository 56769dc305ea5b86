"""Meta-learning algorithms: θ and tasks in, a meta-gradient out.

An algorithm is a frozen bag of settings.  ``algorithm(theta, tasks)`` returns a
``MetaGradient``; ``algorithm.adapt(theta, x, y)`` is its inner loop alone.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ..arguments import Brief, Check, Settings, optional, setting, whole
from ..compute import Array, check_array
from ..inner import GradientDescent, check_inner, solve
from ..solvers import CG
from .adaptation import adapt
from .estimation import estimate_gradient
from .estimators import (
    ADAPTED,
    CURVATURE,
    NOT_NEGATIVE,
    SOLVER,
    STEPS,
    Displacement,
    FirstOrder,
    Implicit,
    Released,
    one_strength,
)
from .objective import TO_LINEARIZE
from .released import PullBackDescent
from .strength import positive_strength, strength_if_any
from .task_mean import MetaGradient, Tasks

STRENGTH = optional(positive_strength)


def strength_of(who: str) -> Check:
    """Return the check of λ for who cannot do without a proximal term."""

    def check(name: str, lam: Any) -> Any:
        if lam is None:
            raise ValueError(
                f"{who} needs lam > 0: without a proximal term the inner problem (1) "
                "has no unique solution; MAML takes lam=None"
            )
        return positive_strength(name, lam)

    return check


@dataclass(frozen=True, repr=False)
class Algorithm(Brief, Settings):
    """What the algorithms share: a loss, λ of the inner problem, an inner loop.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        lam: λ > 0, a number or (P,), in loss/parameter²; None has no proximal term.
        inner: Solves the inner problem (1).

    Raises:
        ValueError: If λ is not positive, or loss or inner are not what they must be.
    """

    loss: Any = setting(TO_LINEARIZE)
    lam: Any = setting(STRENGTH, None)
    inner: Any = setting(check_inner, make=GradientDescent)

    title: ClassVar[str]
    estimator: ClassVar[Any]

    @property
    def name(self) -> str:
        """The estimator in words."""
        return f"{self.title}: {self.estimator.name}"

    def adapt(self, theta: Array, x: Array, y: Array) -> Array:
        """Return φ (T, P), adapted from θ (P,) to support sets x (T, N, ...), y."""
        given = {"lam": self.lam, "inner": self.inner}
        return adapt(self.loss, theta, x, y, **given, adapted=self.estimator.adapted)

    def at_step(self, step: int) -> "Algorithm":
        """Return the algorithm of meta-step ``step``, counted from 0: itself."""
        return self

    def __call__(self, theta: Array, tasks: Tasks) -> MetaGradient:
        """Return the meta-gradient (P,) with diagnostics."""
        check_array("θ", theta)
        lam = strength_if_any(self.lam, theta, self.estimator.damping)
        find = partial(solve, self.inner)
        return estimate_gradient(self.loss, theta, tasks, lam, find, self.estimator)


@dataclass(frozen=True, repr=False)
class IMAML(Algorithm):
    """Implicit MAML: (5) at the solution of the proximal inner problem.

    Args:
        loss: See ``Algorithm``.
        lam: λ > 0, the paper's 2 by default.
        inner: See ``Algorithm``.
        solver: Solves (5); the paper's five CG steps by default.
        curvature: "hessian", or "gauss-newton" for G in place of H.
        damping: Added to Λ in the operator; 0 is (5).
        adapted: Names of the layers that the inner loop moves, (16); None is all.
        first_order_steps: Meta-steps of a training that are first order.

    Raises:
        ValueError: If λ is None, where there is nothing to be implicit about, or a
            setting is out of its range.

    Source: Rajeswaran et al., NeurIPS 2019, algorithms 1 and 2.
    """

    lam: Any = setting(strength_of("IMAML"), 2.0)
    solver: Any = setting(SOLVER, make=CG)
    curvature: str = setting(CURVATURE, "hessian")
    damping: float = setting(NOT_NEGATIVE, 0.0)
    adapted: Any = setting(ADAPTED, None)
    first_order_steps: int = setting(whole(0), 0)

    title = "iMAML"

    @property
    def estimator(self) -> Implicit:
        """How (5) is solved."""
        return Implicit(self.solver, self.curvature, self.damping, self.adapted)

    def at_step(self, step: int) -> Algorithm:
        """Return the algorithm of meta-step ``step``, counted from 0."""
        if step >= self.first_order_steps:
            return self
        return FirstOrderMAML(self.loss, self.lam, self.inner, self.adapted)


@dataclass(frozen=True, repr=False)
class FirstOrderMAML(Algorithm):
    """First order: g = v at the φ of the inner loop, proximal where λ is given.

    Args:
        loss: See ``Algorithm``; so for λ and the inner loop.
        adapted: Names of the layers that the inner loop moves; None is all.

    Source: Finn et al., ICML 2017, section 5.2.
    """

    adapted: Any = setting(ADAPTED, None)

    name = FirstOrder().name
    curvature = FirstOrder.curvature

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "name", self.estimator.name)

    @property
    def estimator(self) -> FirstOrder:
        """First order, in the layers that adapt."""
        return FirstOrder(self.adapted)


@dataclass(frozen=True, repr=False)
class Reptile(Algorithm):
    """Reptile: θ moves towards the φ of the inner loop, g = θ − φ.

    The query set is measured, not learned from.

    Source: Nichol, Achiam & Schulman, "On First-Order Meta-Learning Algorithms", 2018.
    """

    estimator = Displacement()
    name = "Reptile: g = θ − φ"
    curvature = estimator.curvature


@dataclass(frozen=True, repr=False)
class ReleasedIMAML(Algorithm):
    """The estimator of the paper's released code, which is not (5).

    K plain gradient steps, one pull-back, and ((1 + c) I + H/(λ + d)) g = v; see
    ``released.PullBackDescent`` and ``estimators.Released``.

    Args:
        loss: See ``Algorithm``.
        lam: λ, 2 in the released settings.
        inner: The released inner loop.
        cg_steps: CG steps.
        c: ``cg_damping`` of the released code.
        d: ``lam_damping`` of the released code.

    Raises:
        ValueError: If λ is None.
    """

    lam: Any = setting(strength_of("ReleasedIMAML"), 2.0)
    inner: Any = setting(check_inner, make=PullBackDescent)
    cg_steps: int = setting(STEPS, 5)
    c: float = setting(NOT_NEGATIVE, 1.0)
    d: float = setting(NOT_NEGATIVE, 10.0)

    title = "released iMAML"
    curvature = "hessian"

    def __post_init__(self):
        super().__post_init__()
        one_strength(self.lam)

    @property
    def estimator(self) -> Released:
        """The released operator."""
        return Released(self.cg_steps, self.c, self.d)
