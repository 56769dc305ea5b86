"""A loss of given examples on the fused path: what ``TaskLoss`` hands out."""

from typing import Any
from weakref import finalize

import numpy

from ..compute import Array
from ..networks import (
    Examples,
    Linearization,
    SoftmaxCrossEntropy,
    SweptLinearization,
    is_diagonal,
)
from .lending import FusedNetwork, Loan
from .softmax import softmax_bar
from .step import Step
from .sweeps import Sweeps


class FusedExamples(Examples):
    """L of given examples by sweeps, and by the layers at a φ that does not fit them.

    What does not depend on φ is computed once.

    Args:
        task_loss: A ``TaskLoss``.
        fused: Its network.
        dtype: Of φ, float32 or float64.
        x: Inputs (T, N, H, W, C).
        y: Labels (T, N), or targets (T, N, D).
    """

    def __init__(self, task_loss: Any, fused: FusedNetwork, dtype, x: Array, y: Array):
        super().__init__(task_loss, x, y)
        self._fused, self._dtype, self.loan = fused, dtype, Loan(fused, x, dtype)
        self._targets: Any = None
        # A subclass may do anything.
        self._is_softmax = type(task_loss.loss) is SoftmaxCrossEntropy
        finalize(self, self.loan.give_back)

    def __reduce__(self):
        return FusedExamples, (self.task_loss, self._fused, self._dtype, self.x, self.y)

    def targets(self, z: Array) -> Array:
        """Return the labels as the loss wants them beside outputs z."""
        if not self._is_softmax:
            return self.y
        if self._targets is None:
            self._targets = self.task_loss.loss.targets(z, self.y)
        return self._targets

    def linearize(self, phi: Array) -> Linearization:
        """Return L, its gradient and its curvature at φ (T, P)."""
        fits = self.fits(phi)
        return FusedLinearization(self, phi) if fits else super().linearize(phi)

    def gradient(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        if not self.fits(phi):
            return super().gradient(phi)
        with self.loan.sweeps() as sweeps:
            self.visit(sweeps, phi)
            sweeps.last_vjp.run()
            return sweeps.phi_bar.copy()

    def descend(
        self, phi: Array, theta: Array, lam, step_size: float, num_steps: int
    ) -> tuple[Array, list[Array]]:
        """Make the steps in place.

        Then others may have the sweeps: the query set is next.
        """
        if not (self.fits(phi) and is_diagonal(lam, phi.shape[1])):
            return super().descend(phi, theta, lam, step_size, num_steps)
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
        """Return L (T,) alone, for one forward sweep."""
        if not self.fits(phi):
            return super().value(phi)
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


class FusedLinearization(SweptLinearization):
    """A ``Linearization`` on the arrays of the sweeps.

    Args:
        examples: L.
        phi: (T, P).
    """

    def __init__(self, examples: FusedExamples, phi: Array):
        super().__init__(examples, phi)
        with examples.loan.sweeps() as sweeps:
            self.outputs, self.value, self._loss_saved = self._visit(sweeps)
            sweeps.vjp.run()
            self.grad, self._has_bars = sweeps.phi_bar.copy(), True

    def __reduce__(self):
        return FusedLinearization, (self.examples, self.phi)

    def _visit(self, sweeps: Sweeps) -> tuple[Array, Array, Any]:
        """Bring the sweeps to φ."""
        found = self.examples.visit(sweeps, self.phi)
        sweeps.linearized, self._has_bars = self._token, False
        return found

    def swept(self, curvature: str, v: Array) -> Array:
        """Return H v or G v by the sweeps."""
        with self.examples.loan.sweeps() as sweeps:
            with_H = curvature == "hvp"
            if sweeps.linearized is not self._token or (with_H and not self._has_bars):
                self._visit(sweeps)
                if with_H:
                    sweeps.vjp.run()
            # Products with G write over the cotangents that those with H need.
            self._has_bars = with_H
            numpy.copyto(sweeps.phi_dot, v)
            sweeps.jvp.run()
            moved = self.task_loss.loss.hvp(self._loss_saved, sweeps.z_dot)
            if with_H:
                sweeps.z_bar_dot[...] = moved
                sweeps.vjp_dot.run()
                return sweeps.phi_bar_dot.copy()
            sweeps.z_bar[...] = moved
            sweeps.vjp.run()
            return sweeps.phi_bar.copy()
