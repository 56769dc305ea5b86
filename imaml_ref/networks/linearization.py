"""The loss of a task at a point φ, with its derivatives.

With z = f(φ, x) and ℓ the loss, L(φ) = ℓ(f(φ, x), y), J = ∂z/∂φ and H_z = ∂²ℓ/∂z²,

    gradient       ∇L = Jᵀ z̄,   z̄ = ∂ℓ/∂z                  forward, vjp
    Hessian        H v = R{Jᵀ z̄} with φ̇ = v, R{z̄} = H_z ż     jvp, vjp_dot
    Gauss-Newton   G v = Jᵀ H_z J v                            jvp, vjp

One forward and one vjp sweep are shared by however many products follow.
"""

from functools import cached_property
from typing import Any

import numpy

from ..compute import Array, array_module, to_device, to_host


class Linearization:
    """L at φ: ``value`` (T,), ``grad`` (T, P), ``outputs`` (T, N, D), and products."""

    def __init__(self, task_loss: Any, phi: Array, x: Array, y: Array):
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
