"""The loss of a task and its derivatives; the proximal objective of the inner problem.

With z = f(φ, x) and ℓ the loss, L(φ) = ℓ(f(φ, x), y), J = ∂z/∂φ and H_z = ∂²ℓ/∂z²,

    gradient       ∇L = Jᵀ z̄,   z̄ = ∂ℓ/∂z                  forward, vjp
    Hessian        H v = R{Jᵀ z̄} with φ̇ = v, R{z̄} = H_z ż     jvp, vjp_dot
    Gauss-Newton   G v = Jᵀ H_z J v                            jvp, vjp

One forward and one vjp sweep are shared by however many products follow.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from .backend import Array, array_module, to_device, to_host
from .losses import Loss
from .network import Network


@dataclass(frozen=True)
class TaskLoss:
    """The mean loss L_t(φ_t) of a network on the examples of each task.

    Args:
        net: The network, a function of φ (T, P) and x (T, N, ...).
        loss: The loss of its outputs and the labels.
    """

    net: Network
    loss: Loss

    def linearize(self, phi: Array, x: Array, y: Array) -> "Linearization":
        """Return L, its gradient and its curvature at φ.

        Args:
            phi: Parameters of each task, (T, P).
            x: Inputs (T, N, ...), in the real dtype of φ.
            y: Labels (T, N), or targets (T, N, D).
        """
        return Linearization(self, phi, x, y)

    def value(self, phi: Array, x: Array, y: Array) -> Array:
        """Return L (T,) alone, for one forward sweep."""
        return self.loss.forward(self.net.logits(phi, x), y)[0]


class Linearization:
    """L at φ: ``value`` (T,), ``grad`` (T, P), ``outputs`` (T, N, D), and products."""

    def __init__(self, task_loss: TaskLoss, phi: Array, x: Array, y: Array):
        self.task_loss, self.phi, self.x, self.y = task_loss, phi, x, y
        net, loss = task_loss.net, task_loss.loss
        self.outputs, self._saved = net.forward(phi, x)
        self.value, self._loss_saved = loss.forward(self.outputs, y)
        z_bar = loss.grad(self._loss_saved)
        self.grad, self._y_bars = net.vjp(phi, self._saved, z_bar)

    def hvp(self, v: Array) -> Array:
        """Return H v, (T, P), for v (T, P)."""
        net = self.task_loss.net
        z_dot, saved_dot = net.jvp(self.phi, self._saved, v, self._x_dot)
        z_bar_dot = self.task_loss.loss.hvp(self._loss_saved, z_dot)
        return net.vjp_dot(self.phi, self._saved, v, saved_dot, self._y_bars, z_bar_dot)

    def gnvp(self, v: Array) -> Array:
        """Return G v, (T, P), for v (T, P)."""
        net = self.task_loss.net
        z_dot, _ = net.jvp(self.phi, self._saved, v, self._x_dot)
        return net.vjp(
            self.phi, self._saved, self.task_loss.loss.hvp(self._loss_saved, z_dot)
        )[0]

    def accuracy(self) -> Array | None:
        """Return the share of right answers (T,), or None for a regression."""
        return self.task_loss.loss.accuracy(self.outputs, self.y)

    def hessian_operator(self, task: int = 0) -> Any:
        """Return H of one task as a ``scipy.sparse.linalg.LinearOperator`` (P, P).

        SciPy's cg, minres and eigsh run on it, with vectors on the host.
        """
        # Imported here: only this door to SciPy needs it.
        from scipy.sparse.linalg import LinearOperator

        one = slice(task, task + 1) if task != -1 else slice(task, None)
        lin = self.task_loss.linearize(self.phi[one], self.x[one], self.y[one])
        on_host = isinstance(self.phi, numpy.ndarray)

        def matvec(v):
            v = numpy.asarray(v, self.phi.dtype).reshape(1, -1)
            return to_host(lin.hvp(v if on_host else to_device(v)))[0]

        size = self.phi.shape[1]
        return LinearOperator(
            (size, size), matvec=matvec, rmatvec=matvec, dtype=self.phi.dtype
        )

    @cached_property
    def _x_dot(self) -> Array:
        """The inputs are data: they do not move."""
        return array_module(self.x).zeros_like(self.x)


@dataclass(frozen=True)
class ProximalObjective:
    """G(φ; θ) = L(φ) + ½ (φ − θ)ᵀ Λ (φ − θ) of (1) in docs/mathematics.md.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        theta: The anchor θ, (P,).
        x: Support inputs (T, N, ...).
        y: Support labels (T, N), or targets (T, N, D).
        lam: λ, a positive float or (P,), in loss/parameter²; 0 is plain L, as in MAML.
    """

    loss: Any
    theta: Array
    x: Array
    y: Array
    lam: Any

    def __len__(self) -> int:
        return len(self.x)

    def task(self, t: int) -> "ProximalObjective":
        """Return the objective of one task, T = 1."""
        one = slice(t, t + 1)
        return ProximalObjective(
            self.loss, self.theta, self.x[one], self.y[one], self.lam
        )

    def linearize(self, phi: Array) -> "ProximalLinearization":
        """Return G, its gradient and its curvature at φ (T, P)."""
        support = self.loss.linearize(phi, self.x, self.y)
        return ProximalLinearization(support, phi - self.theta, self.lam)

    def grad(self, phi: Array) -> Array:
        """Return ∇G = ∇L + Λ (φ − θ), (T, P)."""
        return self.linearize(phi).grad

    def value(self, phi: Array) -> Array:
        """Return G, (T,)."""
        if hasattr(self.loss, "value"):
            away = phi - self.theta
            value = self.loss.value(phi, self.x, self.y)
            return value + (self.lam * away * away).sum(-1) / 2
        return self.linearize(phi).value


class ProximalLinearization:
    """G at φ: ``grad`` (T, P), ``value``, ``hvp``, and ``support``, L at φ."""

    def __init__(self, support, away: Array, lam):
        self.support, self._away, self._lam = support, away, lam
        self.grad = lam * away
        self.grad += support.grad

    @cached_property
    def value(self) -> Array:
        """G, (T,); gradient descent has no use for it."""
        pull = (self._lam * self._away * self._away).sum(-1)
        return self.support.value + pull / 2

    def hvp(self, v: Array) -> Array:
        """Return (H + Λ) v, (T, P)."""
        return self.support.hvp(v) + self._lam * v


def proximal_strength(lam: Any, theta: Array) -> Any:
    """Return λ as a Python number, or as an array (P,) beside θ in its real dtype.

    Raises:
        ValueError: If λ is not positive and finite, or has not the shape () or (P,).
    """
    xp = array_module(theta)
    array = numpy.asarray(lam) if not hasattr(lam, "get") else lam
    if array.ndim not in (0, 1) or (array.ndim and array.shape != theta.shape):
        raise ValueError(
            f"lam must be a positive number or of shape {theta.shape}, "
            f"got shape {array.shape}"
        )
    if not bool((array.real > 0).all() and (array.real < float("inf")).all()):
        raise ValueError(
            "lam must be positive and finite: the inner problem (1) has no unique "
            f"solution otherwise; got {lam if array.ndim == 0 else array.min()}"
        )
    if array.ndim == 0:
        return array.item()
    complex_lam = array.dtype.kind == "c"
    return xp.asarray(array, dtype=None if complex_lam else theta.real.dtype)
