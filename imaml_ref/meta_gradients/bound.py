"""The error bound of a meta-gradient, where its constants are proved.

If ∇²G ⪰ μI on the ball of radius r₁/μ about φ, and there Q is B-Lipschitz and ℓ-smooth
and the Hessian of L is ρ_H-Lipschitz, then φ lies within δ = r₁/μ of φ*, and

    ‖g − g*‖ ≤ (‖Λ‖/μ) (ℓ + ρ_H B/μ) δ + ‖Λ‖ r₂/μ                                    (8)

Derivation: x* = A*⁻¹ v*, x = A⁻¹ (v − r), with A = H + Λ and ‖A⁻¹‖, ‖A*⁻¹‖ ≤ 1/μ.  Then
x − x* = A⁻¹ (v − v*) + (A⁻¹ − A*⁻¹) v* − A⁻¹ r, where ‖v − v*‖ ≤ ℓδ, ‖v*‖ ≤ B and
A⁻¹ − A*⁻¹ = A⁻¹ (A* − A) A*⁻¹ is at most ρ_H δ/μ².  Multiply with Λ.

For a network that is affine in its parameters, with features x̃ = (x, 1), L is convex,
so μ = min λ_j, and its constants follow from those of the loss as a function of
z = x̃ᵀφ:

    squared error   ℓ ≤ mean ‖x̃‖²,    ρ_H = 0                    (B is not needed)
    cross-entropy   ℓ ≤ ½ mean ‖x̃‖²,  ρ_H ≤ mean ‖x̃‖³/√2,  B ≤ √2 mean ‖x̃‖

where ½ bounds diag(p) − ppᵀ, the third derivative of log-sum-exp along u is a third
central moment, at most (max u − min u) Var_p(u) ≤ √2 ‖u‖ · ½ ‖u‖², and ‖p − e_y‖ ≤ √2.
The smoothness is that of the query set, the Lipschitz constant that of the support.

All this is in exact arithmetic.  What is computed is g + e, and r₁, r₂ are off as well,
by rounding: where (8) is below some ε ‖g‖, the error may be above it.
"""

from typing import NamedTuple

import numpy

from ..compute import Array
from ..layers import Flatten, Linear
from ..networks import Network, SoftmaxCrossEntropy, SquaredError
from .objective import TaskLoss


class Constants(NamedTuple):
    """B, ℓ and ρ_H of (8), each (T,), in loss over powers of the parameters' unit."""

    lipschitz: Array
    smoothness: Array
    hessian_lipschitz: Array


def constants(loss, support_x: Array, query_x: Array) -> Constants | None:
    """Return proven constants for an affine network with a known loss, or None.

    All arrays are on the host.
    """
    if not has_constants(loss):
        return None
    support, query = feature_norms(support_x), feature_norms(query_x)
    zero = numpy.zeros(len(query))
    if type(loss.loss) is SquaredError:
        return Constants(zero, (query**2).mean(1), zero)
    return Constants(
        2**0.5 * query.mean(1),
        (query**2).mean(1) / 2,
        (support**3).mean(1) / 2**0.5,
    )


def has_constants(loss) -> bool:
    """Whether there are constants for a loss: its types say so."""
    # Exact types: a subclass may be another function.
    affine = type(loss) is TaskLoss and is_affine(loss.net)
    return affine and type(loss.loss) in (SquaredError, SoftmaxCrossEntropy)


def error_bound(r1, r2, lam, known: Constants) -> numpy.ndarray:
    """Return the right-hand side of (8), (T,), with μ = min λ_j of a convex L."""
    mu, norm = numpy.min(lam), numpy.max(lam)
    delta = r1 / mu
    moved = known.smoothness + known.hessian_lipschitz * known.lipschitz / mu
    return norm / mu * moved * delta + norm * r2 / mu


def is_affine(net) -> bool:
    """Whether a network is a linear layer, and nothing else that bends.

    A subclass of ``Network`` may do more than its layers say.
    """
    if type(net) is not Network:
        return False
    kinds = [type(layer) for layer in net.layers.values()]
    return kinds.count(Linear) == 1 and set(kinds) <= {Linear, Flatten}


def feature_norms(x: Array) -> numpy.ndarray:
    """Return ‖(x, 1)‖ of every example, (T, N), in float64."""
    flat = x.reshape(*x.shape[:2], -1).astype(numpy.float64)
    return ((flat**2).sum(-1) + 1) ** 0.5
