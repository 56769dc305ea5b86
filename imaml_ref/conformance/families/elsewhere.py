"""The quantities of (5) away from the right φ and θ: other strengths, later steps."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy

from ..case import Array, Case
from ..computation import Computation
from .ground import Ground, facts_of


class Inner(Computation):
    """(1) with another λ or another anchor.

    Args:
        base: Who computes L and its derivatives.
        lam: λ, a number or (P,).
        anchor: What the proximal term pulls to, (P,).
    """

    def __init__(self, base: Any, lam: Any, anchor: Array):
        self.base, self.strength, self.pulls_to = base, lam, anchor

    def at_support(self, case: Case, phi: Array) -> Any:
        """Return L at φ (T, P)."""
        return self.base.at_support(case, phi)

    def lam(self, case: Case) -> Any:
        """Return λ."""
        return self.strength

    def anchor(self, case: Case) -> Array:
        """Return what φ is pulled to."""
        return self.pulls_to


class Slope:
    """θ ↦ the meta-gradient of a case.

    Of a linear network with the squared error it is affine in θ: P + 1 values say all.

    Args:
        subject: Who computes it.
        case: The case.
    """

    def __init__(self, subject: Any, case: Case):
        self.subject, self.case = subject, case
        layers = (case.network or {}).get("layers", ())
        self.affine = case.loss == "squared-error" and len(layers) == 1
        self.found: dict[bytes, Array] = {}
        if self.affine:
            self.g = self.at(case.theta)
            axes = numpy.eye(len(case.theta))
            self.K = numpy.stack([self.at(case.theta + e) - self.g for e in axes], 1)

    def at(self, theta: Array) -> Array:
        """Return the meta-gradient (P,), computed."""
        key = theta.tobytes()
        if key not in self.found:
            self.found[key] = self.subject.meta_grad(self.case.at(theta))
        return self.found[key]

    def __call__(self, theta: Array) -> Array:
        """Return the meta-gradient (P,)."""
        if self.affine:
            return self.g + self.K @ (theta - self.case.theta)
        return self.at(theta)


def of_a_system(case: Case) -> Ground:
    """Return A x = b as a ground with Λ = I and H = A − I."""
    n = len(case.b)
    zero = numpy.zeros((1, n))
    return Ground(
        zero[0], zero, numpy.ones(n), (case.A - numpy.eye(n))[None], case.b[None],
        zero, facts_of(case),
    )  # fmt: skip


def on_the_way(ground: Ground, case: Case, subject: Any) -> Ground:
    """Return a ground that has H and v at (1 − s) φ + s θ too."""
    groups = getattr(case, "groups", (case,))
    edges = numpy.cumsum([0, *(len(g.inputs["support_x"]) for g in groups)])

    def at(what, s: float) -> Array:
        phi = (1 - s) * ground.phi + s * ground.theta
        parts = zip(groups, edges, edges[1:], strict=False)
        return numpy.concatenate([what(g, phi[a:b]) for g, a, b in parts])

    lazily = dict(ground.lazily)
    lazily["H on the way"] = lambda: partial(at, subject.curvature)
    lazily["v on the way"] = lambda: partial(at, subject.outer_gradient)
    return replace(ground, lazily=lazily)


def of_the_outer_step(outer: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an optimiser by letter."""
    found = {"α": float(outer["step_size"])}
    if outer["optimizer"] == "adam":
        found |= {
            "ε": float(outer["eps"]),
            "(1 − β₁)": 1 - float(outer["beta1"]),
            "(1 − β₂)": 1 - float(outer["beta2"]),
            "√(1 − β₂)": (1 - float(outer["beta2"])) ** 0.5,
        }
    return found
