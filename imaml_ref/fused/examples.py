"""A loss of given examples on the fused path: what ``TaskLoss`` hands out."""

from collections import deque
from functools import cached_property
from typing import Any
from weakref import finalize

import numpy

from ..backend import Array
from ..linearization import Linearization
from ..losses import SoftmaxCrossEntropy
from ..network import Network
from .softmax import softmax_bar
from .step import Step
from .sweeps import Sweeps

SPARE = 8  # sets of arrays that wait for the next examples of their size, at most


class FusedNetwork:
    """Sweeps of a network, made when needed and used again.

    Args:
        net: A network that ``pieces.covers``.
    """

    def __init__(self, net: Network):
        self.net, self.spare = net, deque[Sweeps](maxlen=SPARE)

    def __reduce__(self):
        return FusedNetwork, (self.net,)

    def take(self, shape: tuple[int, ...], dtype: numpy.dtype) -> Sweeps:
        """Return sweeps that nobody else uses."""
        for _ in range(len(self.spare)):
            try:
                sweeps = self.spare.pop()
            except IndexError:  # another thread was faster
                break
            if sweeps.size == (shape, dtype):
                return sweeps
            self.spare.appendleft(sweeps)
        return Sweeps(self.net, shape, dtype)

    def fits(self, theta: Array, x: Array) -> bool:
        """Whether inputs and φ like θ are for the sweeps; the plain path refuses."""
        return (
            isinstance(theta, numpy.ndarray)
            and isinstance(x, numpy.ndarray)
            and theta.dtype in (numpy.float32, numpy.float64)
            and x.dtype == theta.dtype
            and x.shape[2:] == self.net.input_shape
            and x.size > 0
        )


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
        self._fused = fused
        # Nobody else's until these examples are forgotten.  Not made when first asked
        # for: two threads might ask.
        self.sweeps = fused.take(x.shape, dtype)
        finalize(self, fused.spare.append, self.sweeps)
        self.sweeps.load(x)

    def __reduce__(self):
        return FusedExamples, (self.task_loss, self._fused, self._dtype, self.x, self.y)

    @property
    def _is_softmax(self) -> bool:
        """Whether the loss is known; a subclass may do anything."""
        return type(self.task_loss.loss) is SoftmaxCrossEntropy

    @cached_property
    def _targets(self) -> Array:
        """The labels as the loss wants them; one that is not known takes no others."""
        loss = self.task_loss.loss
        return loss.targets(self.sweeps.z, self.y) if self._is_softmax else self.y

    def linearize(self, phi: Array) -> Linearization:
        """Return L, its gradient and its curvature at φ (T, P)."""
        if self.fits(phi):
            return FusedLinearization(self, phi)
        return Linearization(self.task_loss, phi, self.x, self.y)

    def gradient(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        if not self.fits(phi):
            return self.linearize(phi).grad
        with self.sweeps.of(self.x):
            self.visit(phi)
            self.sweeps.last_vjp.run()
            return self.sweeps.phi_bar.copy()

    def descend(
        self, phi: Array, theta: Array, lam, step_size: float, num_steps: int
    ) -> tuple[Array, list[Array]]:
        """Return φ after K steps of −α (∇L + Λ (φ − θ)), and the norms of the latter.

        Args:
            phi: Where to start, (T, P), which ``fits``.
            theta: θ, (P,), or one for each task, (T, P).
            lam: λ, a real number or (P,).
            step_size: α.
            num_steps: K.
        """
        with self.sweeps.of(self.x):
            sweeps, norms = self.sweeps, []
            sweeps.linearized = None
            numpy.copyto(sweeps.phi, phi)
            step = Step(sweeps.phi, sweeps.phi_bar, theta, lam, step_size)
            for _ in range(num_steps):
                self.sweep_to_z_bar()
                sweeps.last_vjp.run()
                norms.append(step())
            return sweeps.phi.copy(), norms

    def value(self, phi: Array) -> Array:
        """Return L (T,) alone, for one forward sweep; φ ``fits``."""
        with self.sweeps.of(self.x):
            return self.visit(phi)[1]

    def fits(self, phi: Array) -> bool:
        """Whether the sweeps take φ or v; else the plain path does, or says why not."""
        return (phi.shape, phi.dtype) == (self.sweeps.phi.shape, self._dtype)

    def visit(self, phi: Array) -> tuple[Array, Array, Any]:
        """Run the forward sweep at φ; return outputs, L, and what the loss saved."""
        self.sweeps.linearized = None
        numpy.copyto(self.sweeps.phi, phi)
        return self.sweep_forward()

    def sweep_to_z_bar(self) -> None:
        """Run the forward sweep where the sweeps are, for z̄ alone."""
        if not self._is_softmax:
            self.sweep_forward()
            return
        self.sweeps.forward.run()
        softmax_bar(self.sweeps.z, self._targets, self.sweeps.z_bar)

    def sweep_forward(self) -> tuple[Array, Array, Any]:
        """Run the forward sweep where the sweeps are; return as ``visit``."""
        sweeps, loss = self.sweeps, self.task_loss.loss
        sweeps.forward.run()
        outputs = sweeps.z.copy()
        value, saved = loss.forward(outputs, self._targets)
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
        with examples.sweeps.of(self.x):
            self.outputs, self.value, self._loss_saved = self._visit()
            self._sweep_back()
            self.grad = examples.sweeps.phi_bar.copy()

    def __reduce__(self):
        return FusedLinearization, (self._examples, self.phi)

    def _visit(self) -> tuple[Array, Array, Any]:
        """Bring the sweeps to φ."""
        found = self._examples.visit(self.phi)
        self._examples.sweeps.linearized, self._has_bars = self._token, False
        return found

    def _sweep_back(self) -> None:
        """Compute ∇L and what ``hvp`` needs."""
        self._examples.sweeps.vjp.run()
        self._has_bars = True

    def hvp(self, v: Array) -> Array:
        """Return H v, (T, P), for v (T, P)."""
        if not self._examples.fits(v):
            return self._plain.hvp(v)
        sweeps = self._examples.sweeps
        with sweeps.of(self.x):
            if sweeps.linearized is not self._token or not self._has_bars:
                self._visit()
                self._sweep_back()
            sweeps.z_bar_dot[...] = self._curvature_of_loss(v)
            sweeps.vjp_dot.run()
            return sweeps.phi_bar_dot.copy()

    def gnvp(self, v: Array) -> Array:
        """Return G v, (T, P), for v (T, P)."""
        if not self._examples.fits(v):
            return self._plain.gnvp(v)
        sweeps = self._examples.sweeps
        with sweeps.of(self.x):
            if sweeps.linearized is not self._token:
                self._visit()
            self._has_bars = False
            sweeps.z_bar[...] = self._curvature_of_loss(v)
            sweeps.vjp.run()
            return sweeps.phi_bar.copy()

    @cached_property
    def _plain(self) -> Linearization:
        """The same on the plain path, for v of another dtype or shape."""
        return Linearization(self.task_loss, self.phi, self.x, self.y)

    def _curvature_of_loss(self, v: Array) -> Array:
        """Return H_z ż for φ̇ = v."""
        sweeps = self._examples.sweeps
        numpy.copyto(sweeps.phi_dot, v)
        sweeps.jvp.run()
        return self.task_loss.loss.hvp(self._loss_saved, sweeps.z_dot)
