"""Losses: a mean over examples, as a function of the outputs z of a network.

With N examples, outputs z_n, softmax p_n = exp(z_n) / Σ exp(z_n), unit vectors e_y:

    cross-entropy   value = (1/N) Σ_n (log Σ exp(z_n) − z_n[y_n])                    (1)
                    z̄_n = (p_n − e_{y_n}) / N                                        (2)
                    R{z̄_n} = (p_n ż_n − p_n ⟨p_n, ż_n⟩) / N                          (3)
    squared error   value = (1/N) Σ_n ½ ‖z_n − y_n‖²                                 (4)
                    z̄_n = (z_n − y_n) / N,   R{z̄_n} = ż_n / N                        (5)

(3) and (5) are products with the Hessian in z, which is positive semidefinite for both:
the Gauss-Newton operator inherits that.
"""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, NamedTuple

import numpy

from .backend import Array, array_module
from .readings import on_device, read


class Loss(ABC):
    """The mean over examples of a loss of outputs z (T, N, D) and labels y."""

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
    """Equation (1), for labels y (T, N), integers from 0 to D − 1, or e_y (T, N, D)."""

    def targets(self, z, y):
        if y.ndim == 3 and y.dtype.kind == "f":
            check_targets(z, y)
            return y
        return unit_vectors(array_module(z, y), z, y)

    def check_labels(self, y, num_outputs):
        if on_device(y) and y.dtype.kind in "iu" and y.size:
            read(partial(refuse_strangers, num_outputs), y.min(), y.max())

    def forward(self, z, y):
        xp, e_y = array_module(z, y), self.targets(z, y)
        z = z - z.real.max(-1, keepdims=True)
        exp_z = xp.exp(z)
        total = exp_z.sum(-1, keepdims=True)
        value = (xp.log(total[..., 0]) - (e_y * z).sum(-1)).sum(-1) / z.shape[1]
        return value, Probabilities(exp_z / total, e_y)

    def grad(self, saved):
        p, e_y = saved
        return (p - e_y) / p.shape[1]

    def hvp(self, saved, z_dot):
        p, _ = saved
        return (p * z_dot - p * (p * z_dot).sum(-1, keepdims=True)) / p.shape[1]

    def accuracy(self, z, y):
        return (z.real.argmax(-1) == y).mean(-1)


def unit_vectors(xp, z, y):
    """Return e_y (T, N, D) in the real dtype of z.

    On a device, whom nobody asks in every sweep, a label that is not among the outputs
    has NaN for its unit vector, and so has the loss; ``check_labels`` asks once.

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If they have the wrong shape, or are not among the outputs.
    """
    num_outputs = z.shape[-1]
    if y.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got dtype {y.dtype}")
    if y.shape != z.shape[:2]:
        raise ValueError(f"labels expect shape {z.shape[:2]}, got {y.shape}")
    if xp is not numpy:
        e_y = (y[..., None] == xp.arange(num_outputs)).astype(z.real.dtype)
        return e_y / e_y.sum(-1, keepdims=True)
    if y.size:
        refuse_strangers(num_outputs, y.min(), y.max())
    return (y[..., None] == xp.arange(num_outputs)).astype(z.real.dtype)


def refuse_strangers(num_outputs: int, least: Any, largest: Any) -> None:
    """Refuse labels that are not among the outputs.

    Raises:
        ValueError: If the least or the largest of them is not.
    """
    if least < 0 or largest >= num_outputs:
        raise ValueError(
            f"labels must be from 0 to {num_outputs - 1}, one per output of the "
            f"network, got {int(least)} to {int(largest)}"
        )


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


def check_targets(z: Array, y: Array) -> None:
    """Refuse targets that would not stay in the shape and the dtype of z.

    Raises:
        ValueError: If their shape is not that of z.
        TypeError: If their dtype is not the real dtype of z.
    """
    if y.shape != z.shape:
        raise ValueError(f"targets expect shape {z.shape}, got {y.shape}")
    if y.dtype != z.real.dtype and y.dtype != z.dtype:
        raise TypeError(
            f"targets must have the real dtype of φ, {z.real.dtype}, got {y.dtype}; "
            "convert them with y.astype(...)"
        )
