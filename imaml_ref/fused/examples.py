"""A loss of given examples on the fused path: what ``TaskLoss`` hands out."""

from functools import cached_property
from typing import Any
from weakref import finalize

import numpy

from ..compute import Array
from ..networks import Linearization, SoftmaxCrossEntropy
from .lending import FusedNetwork, Loan
from .softmax import softmax_bar
from .step import Step
from .sweeps import Sweeps


class FusedExamples:
    """L of given examples: ``gradient`` and ``linearize`` at any φ.

    What does not depend on φ is computed once.

    Args:
        task_loss: A ``TaskLoss``.
        fused: Its network.
        dtype: Of φ, float32 or float64.
        x: Inputs (T, N, H, W, C).
        y: Labels (T, N), or targets (T, N, D).
    """

    def __init__(self, task_loss: Any, fused: FusedNetwork, dtype, x: Array, y: Array):
        self.task_loss, self.x, self.y, self._dtype = task_loss, x, y, dtype
        self._fused, self.loan = fused, Loan(fused, x, dtype)
        self._targets: Any = None
        finalize(self, self.loan.give_back)

    def __reduce__(self):
        return FusedExamples, (self.task_loss, self._fused, self._dtype, self.x, self.y)

    @property
    def _is_softmax(self) -> bool:
        """Whether the loss is known; a subclass may do anything."""
        return type(self.task_loss.loss) is SoftmaxCrossEntropy

    def targets(self, z: Array) -> Array:
        """Return the labels as the loss wants them beside outputs z."""
        if not self._is_softmax:
            return self.y
        if self._targets is None:
            self._targets = self.task_loss.loss.targets(z, self.y)
        return self._targets

    def linearize(self, phi: Array) -> Linearization:
        """Return L, its gradient and its curvature at φ (T, P)."""
        if self.fits(phi):
            return FusedLinearization(self, phi)
        return Linearization(self.task_loss, phi, self.x, self.y)

    def gradient(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        if not self.fits(phi):
            return self.linearize(phi).grad
        with self.loan.sweeps() as sweeps:
            self.visit(sweeps, phi)
            sweeps.last_vjp.run()
            return sweeps.phi_bar.copy()

    def descend(
        self, phi: Array, theta: Array, lam, step_size: float, num_steps: int
    ) -> tuple[Array, list[Array]]:
        """Return φ after K steps of −α (∇L + Λ (φ − θ)), and the norms of the latter.

        Then others may have the sweeps: the query set is next.

        Args:
            phi: Where to start, (T, P), which ``fits``.
            theta: θ, (P,), or one for each task, (T, P).
            lam: λ, a real number or (P,).
            step_size: α.
            num_steps: K.
        """
        norms: list[Array] = []
        with self.loan.sweeps() as sweeps:
            sweeps.linearized = None
            numpy.copyto(sweeps.phi, phi)
            step = Step(sweeps.phi, sweeps.phi_bar, theta, lam, step_size)
            for _ in range(num_steps):
                self.sweep_to_z_bar(sweeps)
                sweeps.last_vjp.run()
                norms.append(step())
            phi = sweeps.phi.copy()
            self.loan.give_back()
        return phi, norms

    def value(self, phi: Array) -> Array:
        """Return L (T,) alone, for one forward sweep; φ ``fits``."""
        with self.loan.sweeps() as sweeps:
            return self.visit(sweeps, phi)[1]

    def fits(self, phi: Array) -> bool:
        """Whether the sweeps take φ or v; else the plain path does, or says why not."""
        shape = len(self.x), self.task_loss.net.layout.size
        return (phi.shape, phi.dtype) == (shape, self._dtype)

    def visit(self, sweeps: Sweeps, phi: Array) -> tuple[Array, Array, Any]:
        """Run the forward sweep at φ; return outputs, L, and what the loss saved."""
        sweeps.linearized = None
        numpy.copyto(sweeps.phi, phi)
        return self.sweep_forward(sweeps)

    def sweep_to_z_bar(self, sweeps: Sweeps) -> None:
        """Run the forward sweep where the sweeps are, for z̄ alone."""
        if not self._is_softmax:
            self.sweep_forward(sweeps)
            return
        sweeps.forward.run()
        softmax_bar(sweeps.z, self.targets(sweeps.z), sweeps.z_bar)

    def sweep_forward(self, sweeps: Sweeps) -> tuple[Array, Array, Any]:
        """Run the forward sweep where the sweeps are; return as ``visit``."""
        loss = self.task_loss.loss
        sweeps.forward.run()
        outputs = sweeps.z.copy()
        value, saved = loss.forward(outputs, self.targets(outputs))
        sweeps.z_bar[...] = loss.grad(saved)
        return outputs, value, saved


class FusedLinearization(Linearization):
    """A ``Linearization`` on the arrays of the sweeps.

    These hold one point at a time.  If another has been there since, a product first
    goes back to its own.

    Args:
        examples: L.
        phi: (T, P).
    """

    def __init__(self, examples: FusedExamples, phi: Array):
        self._examples, self.phi = examples, phi
        # Not self: the sweeps would keep what keeps them.
        self._token = object()
        self.task_loss, self.x, self.y = examples.task_loss, examples.x, examples.y
        with examples.loan.sweeps() as sweeps:
            self.outputs, self.value, self._loss_saved = self._visit(sweeps)
            self._sweep_back(sweeps)
            self.grad = sweeps.phi_bar.copy()

    def __reduce__(self):
        return FusedLinearization, (self._examples, self.phi)

    def _visit(self, sweeps: Sweeps) -> tuple[Array, Array, Any]:
        """Bring the sweeps to φ."""
        found = self._examples.visit(sweeps, self.phi)
        sweeps.linearized, self._has_bars = self._token, False
        return found

    def _sweep_back(self, sweeps: Sweeps) -> None:
        """Compute ∇L and what ``hvp`` needs."""
        sweeps.vjp.run()
        self._has_bars = True

    def hvp(self, v: Array) -> Array:
        """Return H v, (T, P), for v (T, P)."""
        if not self._examples.fits(v):
            return self._plain.hvp(v)
        with self._examples.loan.sweeps() as sweeps:
            if sweeps.linearized is not self._token or not self._has_bars:
                self._visit(sweeps)
                self._sweep_back(sweeps)
            sweeps.z_bar_dot[...] = self._curvature_of_loss(sweeps, v)
            sweeps.vjp_dot.run()
            return sweeps.phi_bar_dot.copy()

    def gnvp(self, v: Array) -> Array:
        """Return G v, (T, P), for v (T, P)."""
        if not self._examples.fits(v):
            return self._plain.gnvp(v)
        with self._examples.loan.sweeps() as sweeps:
            if sweeps.linearized is not self._token:
                self._visit(sweeps)
            self._has_bars = False
            sweeps.z_bar[...] = self._curvature_of_loss(sweeps, v)
            sweeps.vjp.run()
            return sweeps.phi_bar.copy()

    @cached_property
    def _plain(self) -> Linearization:
        """The same on the plain path, for v of another dtype or shape."""
        return Linearization(self.task_loss, self.phi, self.x, self.y)

    def _curvature_of_loss(self, sweeps: Sweeps, v: Array) -> Array:
        """Return H_z ż for φ̇ = v."""
        numpy.copyto(sweeps.phi_dot, v)
        sweeps.jvp.run()
        return self.task_loss.loss.hvp(self._loss_saved, sweeps.z_dot)
