"""Losses: a mean over examples, as a function of the outputs z of a network.

With N examples, outputs z_n, softmax p_n = exp(z_n) / Σ exp(z_n), unit vectors e_y:

    cross-entropy   value = (1/N) Σ_n (log Σ exp(z_n) − z_n[y_n])                    (1)
                    z̄_n = (p_n − e_{y_n}) / N                                        (2)
                    R{z̄_n} = (p_n ż_n − p_n ⟨p_n, ż_n⟩) / N                          (3)
    squared error   value = (1/N) Σ_n ½ ‖z_n − y_n‖²                                 (4)
                    z̄_n = (z_n − y_n) / N,   R{z̄_n} = ż_n / N                        (5)

(3) and (5) are products with the Hessian in z, which is positive semidefinite for both:
the Gauss-Newton operator inherits that.

With m the largest output, p_m may round to 1 while the other p_d are not zero.  What is
left where numbers near 1 are subtracted is then computed from the others,

    log Σ exp(z − z_m) = log1p(Σ exp(z_d − z_m)),   p_m − e = (1 − e) − Σ p_d        (6)

with Σ over d ≠ m, and (3), which knows no constant in ż, with ż − ż_m in place of ż.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from ..compute import Array, array_module, on_device
from .labels import check_labels, check_targets, is_soft, unit_vectors


class Loss(ABC):
    """The mean over examples of a loss of outputs z (T, N, D) and labels y."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def targets(self, z: Array, y: Array) -> Array:
        """Return what ``forward`` makes of labels first, and takes in their place."""
        return y

    def check_labels(self, y: Array, num_outputs: int) -> None:  # noqa: B027
        """Refuse labels on a device that no sweep refuses, when somebody looks."""

    @abstractmethod
    def forward(self, z: Array, y: Array) -> tuple[Array, Any]:
        """Return the value (T,) and what the derivatives need to know of z and y."""

    @abstractmethod
    def grad(self, saved) -> Array:
        """Return z̄, the gradient in z, (T, N, D)."""

    @abstractmethod
    def hvp(self, saved, z_dot: Array) -> Array:
        """Return R{z̄}, the Hessian in z times ż, (T, N, D)."""

    @abstractmethod
    def accuracy(self, z: Array, y: Array) -> Array | None:
        """Return the share of right answers (T,), or None for a regression."""


class Probabilities(NamedTuple):
    """The softmax p and the labels as unit vectors, both (T, N, D)."""

    p: Array
    e_y: Array


class SoftmaxCrossEntropy(Loss):
    """Equation (1), for labels y (T, N), integers from 0 to D − 1, or e_y (T, N, D).

    The latter are unit vectors, or any probabilities of the classes.
    """

    def targets(self, z, y):
        if is_soft(y):
            check_targets(z, y)
            if not on_device(y):
                check_labels(y, z.shape[-1])
            return y
        return unit_vectors(array_module(z, y), z, y)

    def check_labels(self, y, num_outputs):
        if on_device(y):
            check_labels(y, num_outputs)

    def forward(self, z, y):
        xp, e_y = array_module(z, y), self.targets(z, y)
        top = first_largest(z)
        z = z - only(top, z)
        exp_z = xp.exp(z)
        others = xp.where(top, 0, exp_z).sum(-1, keepdims=True)
        # An output of −∞ is no loss where the label is another.
        of_label = (e_y * xp.where(e_y == 0, 0, z)).sum(-1)
        value = (xp.log1p(others[..., 0]) - of_label).sum(-1) / z.shape[1]
        return value, Probabilities(exp_z / (1 + others), e_y)

    def grad(self, saved):
        p, e_y = saved
        xp, top = array_module(p), first_largest(p)
        others = xp.where(top, 0, p).sum(-1, keepdims=True)
        return xp.where(top, (1 - e_y) - others, p - e_y) / p.shape[1]

    def hvp(self, saved, z_dot):
        p, _ = saved
        z_dot = z_dot - only(first_largest(p), z_dot)
        return p * (z_dot - (p * z_dot).sum(-1, keepdims=True)) / p.shape[1]

    def accuracy(self, z, y):
        # Of classes that are equally likely, each is right.
        e_y = self.targets(z, y)
        return (only(first_largest(z), e_y)[..., 0] == e_y.max(-1)).mean(-1)


def first_largest(z: Array) -> Array:
    """Return which entry of each row is the first of the largest, (T, N, D), bools."""
    return z.real.argmax(-1)[..., None] == array_module(z).arange(z.shape[-1])


def only(chosen: Array, a: Array) -> Array:
    """Return the one chosen entry of each row, (T, N, 1)."""
    return array_module(a).where(chosen, a, 0).sum(-1, keepdims=True)


class SquaredError(Loss):
    """Equation (4), for targets y (T, N, D)."""

    def forward(self, z, y):
        check_targets(z, y)
        residual = z - y
        return (residual**2).sum(-1).mean(-1) / 2, residual

    def grad(self, saved):
        return saved / saved.shape[1]

    def hvp(self, saved, z_dot):
        return z_dot / saved.shape[1]

    def accuracy(self, z, y):
        return None
