"""Families of the inner problem (1): what φ is, where it is not the solution.

At L5 ``inner`` shows φ itself.  Where it was not answered, φ is looked for through the
meta-gradient: (5) at the φ of the family.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy

from ..case import Array, Case
from ..judge import Verdict
from .family import Real, of_answers

MOST = 24  # inner steps
FAR = 1e30  # a walk that runs away is followed so far
WHERE = (("L5", "inner"), ("L5", "meta_grad"))
STEP = Real(1e-3, 3.0)
Walk = Callable[..., list[Array]]


class Path:
    """What is answered after 1, 2, … inner steps, computed when it is looked at."""

    def __init__(self, phis: list[Array], answer: Callable[[Array, int], Array]):
        self.phis, self.answer = phis, answer

    def __len__(self) -> int:
        return len(self.phis)

    def __iter__(self):
        return (self[k] for k in range(len(self.phis)))

    def __getitem__(self, k: int) -> Array:
        return self.answer(self.phis[k], k)


def of_walk(**numbers: Real):
    """Make a family of (gradient of L, θ, λ, *values) → [φ after 1, 2, … steps]."""

    def make(walk: Walk) -> Walk:
        def at(lab: Any, verdict: Verdict, *values: float) -> Any:
            case = lab.case(verdict)
            phis = visited(lab.subject(*lab.base), case, walk, values)

            def answer(phi: Array, k: int) -> Array:
                if verdict.answer == "inner":
                    return phi - case.theta
                key = ("walked", case.name, walk.__name__, values, k)
                found = lab.once(key, lambda: lab.around(case, phi))
                return lab.assembled(verdict, found.g)

            return Path(phis, answer) if phis else None

        of_answers(
            "inner", WHERE, "k", bound=True, cheap=None, named_after=walk, **numbers
        )(at)
        return walk

    return make


def visited(subject: Any, case: Case, walk: Walk, values: Sequence[float]) -> list:
    """Return the φ (T, P) of a walk from θ, up to where it runs away."""
    walks, found = [], []
    for group in case.groups:
        start = numpy.repeat(case.theta[None], group.num_tasks, 0)
        slope = partial(slope_at, subject, group)
        walks.append(walk(slope, start, case.lam, *values))
    for parts in zip(*walks, strict=True):
        phi = numpy.concatenate(parts)
        if not numpy.isfinite(phi).all() or numpy.abs(phi).max() > FAR:
            break
        found.append(phi)
    return found


def slope_at(subject: Any, case: Case, phi: Array) -> Array:
    """Return ∇L (T, P)."""
    return subject.at_support(case, phi).grad


def descend(slope, phi: Array, step: float, momentum: float = 0.0) -> list[Array]:
    """Return the iterates of gradient descent, with momentum."""
    found, v = [], 0 * phi
    for _ in range(MOST):
        v = momentum * v + slope(phi)
        phi = phi - step * v
        found.append(phi)
    return found


@of_walk(alpha=STEP)
def inner_steps(slope, theta, lam, alpha):
    """φ is not the solution: {k} steps of gradient descent of size {alpha} on G."""
    return descend(lambda p: slope(p) + lam * (p - theta), theta, alpha)


@of_walk(alpha=STEP)
def inner_steps_without_the_proximal_term(slope, theta, lam, alpha):
    """φ comes of {k} steps of gradient descent of size {alpha} on L alone."""
    return descend(slope, theta, alpha)


@of_walk(alpha=STEP)
def inner_steps_with_weight_decay(slope, theta, lam, alpha):
    """φ comes of {k} steps of size {alpha} that pull to 0, λ φ, not to θ."""
    return descend(lambda p: slope(p) + lam * p, theta, alpha)


@of_walk(alpha=STEP, c=Real(0.05, 20.0, "1"))
def inner_steps_with_another_strength(slope, theta, lam, alpha, c):
    """φ comes of {k} steps of size {alpha} with {c} λ in the proximal term."""
    return descend(lambda p: slope(p) + c * lam * (p - theta), theta, alpha)


@of_walk(alpha=STEP, mu=Real(0.05, 0.99, alone=True))
def inner_steps_with_momentum(slope, theta, lam, alpha, mu):
    """φ comes of {k} steps on G of size {alpha} with momentum {mu}."""
    return descend(lambda p: slope(p) + lam * (p - theta), theta, alpha, mu)


@of_walk(alpha=STEP, mu=Real(0.05, 0.99, alone=True))
def inner_steps_with_momentum_without_the_proximal_term(slope, theta, lam, alpha, mu):
    """φ comes of {k} steps on L alone of size {alpha} with momentum {mu}."""
    return descend(slope, theta, alpha, mu)


@of_walk(alpha=STEP)
def inner_steps_of_adam(slope, theta, lam, alpha):
    """φ comes of {k} steps of Adam on G, step size {alpha}, the usual β and ε."""
    return adam(lambda p: slope(p) + lam * (p - theta), theta, alpha)


@of_walk(alpha=STEP)
def inner_steps_of_adam_without_the_proximal_term(slope, theta, lam, alpha):
    """φ comes of {k} steps of Adam on L alone, step size {alpha}."""
    return adam(slope, theta, alpha)


def adam(slope, phi: Array, step: float) -> list[Array]:
    """Return the iterates of Adam."""
    m, s, found = 0 * phi, 0 * phi, []
    for k in range(1, MOST + 1):
        g = slope(phi)
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        rms = numpy.sqrt(s / (1 - 0.999**k)) + 1e-8
        phi = phi - step * m / (1 - 0.9**k) / rms
        found.append(phi)
    return found
