"""A loss of given examples on a device: what ``TaskLoss`` hands out there."""

from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy

from ..compute import Array
from ..networks import (
    Examples,
    Linearization,
    Network,
    SoftmaxCrossEntropy,
    SweptLinearization,
    is_diagonal,
)
from ..solvers import CG
from .pieces import covers
from .space import Space
from .stage import current_stage, machine_of
from .sweeps import Sweeps

KEPT = 4  # sizes of examples whose arrays are kept for the next ones


class DeviceNetwork:
    """Sweeps of a network, made when needed and used again.

    All examples of a size share one set of arrays, which holds those that were looked
    at last.

    Args:
        net: A network that ``pieces.covers``.
    """

    def __init__(self, net: Network):
        self.net, self._lock = net, Lock()
        self._kept: OrderedDict[tuple, Sweeps] = OrderedDict()

    def __reduce__(self):
        return DeviceNetwork, (self.net,)

    def fits(self, theta: Array, x: Array, y: Array) -> bool:
        """Whether examples and φ like θ are for the sweeps; the plain path refuses."""
        machine = machine_of(theta)
        return (
            machine is not None
            and current_stage().kernels
            and all(map(machine.has, (theta, x, y)))
            and theta.dtype in (numpy.float32, numpy.float64)
            and x.dtype == theta.dtype
            and x.shape[2:] == self.net.input_shape
            and x.size > 0
            and y.dtype.kind in "iu"
            and y.shape == x.shape[:2]
        )

    def sweeps(self, shape: tuple[int, ...], dtype: numpy.dtype, machine) -> Sweeps:
        """Return the sweeps of a size, for the stage that was asked for."""
        *_, fused, products = current_stage()
        key = shape, machine, dtype, fused, products
        with self._lock:
            if key not in self._kept:
                space = Space(machine, dtype, products)
                self._kept[key] = Sweeps(self.net, shape, space, fused)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]


def device_network(task_loss: Any) -> DeviceNetwork | None:
    """Return the sweeps of a loss; None where the plain path takes it."""
    known = type(task_loss.loss) is SoftmaxCrossEntropy and covers(task_loss.net)
    return DeviceNetwork(task_loss.net) if known else None


class DeviceExamples(Examples):
    """L of given examples by sweeps, and by the layers at a φ that does not fit them.

    Args:
        task_loss: A ``TaskLoss``.
        network: Its network.
        theta: What φ is like.
        x: Inputs (T, N, H, W, C).
        y: Labels (T, N).
    """

    def __init__(
        self, task_loss: Any, network: DeviceNetwork, theta: Array, x: Array, y: Array
    ):
        super().__init__(task_loss, x, y)
        # Not self: the sweeps would keep what keeps them.
        self._token = object()
        self._sweeps = network.sweeps(x.shape, theta.dtype, machine_of(theta))

    def __reduce__(self):
        # x is where θ is, in its dtype.
        loss = self.task_loss
        return type(loss).on, (loss, self.x, self.x, self.y)

    @property
    def sweeps(self) -> Sweeps:
        """The sweeps, with these examples in them; whoever asks has their lock."""
        self._sweeps.hold(self._token, self.x, self.y)
        return self._sweeps

    @property
    def lock(self) -> Any:
        """Who has it has the sweeps for itself."""
        return self._sweeps.lock

    def fits(self, phi: Array) -> bool:
        """Whether the sweeps take φ or v; else the plain path does, or says why not."""
        own = self._sweeps.phi
        return (phi.shape, phi.dtype) == (own.shape, own.dtype)

    def linearize(self, phi: Array) -> Linearization:
        """Return L, its gradient and its curvature at φ (T, P)."""
        fits = self.fits(phi)
        return DeviceLinearization(self, phi) if fits else super().linearize(phi)

    def gradient(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        if not self.fits(phi):
            return super().gradient(phi)
        with self.lock:
            return self.visit(phi, "gradient").phi_bar.copy()

    def value(self, phi: Array) -> Array:
        """Return L (T,) alone, for one forward sweep."""
        if not self.fits(phi):
            return super().value(phi)
        with self.lock:
            return self.visit(phi, "forward").value.copy()

    def descend(
        self, phi: Array, theta: Array, lam, step_size: float, num_steps: int
    ) -> tuple[Array, list[Array]]:
        """Make the steps in place."""
        if not (self.fits(phi) and is_diagonal(lam, phi.shape[1])):
            return super().descend(phi, theta, lam, step_size, num_steps)
        with self.lock:
            sweeps = self.sweeps
            sweeps.linearized = None
            sweeps.phi[...] = phi
            steps = sweeps.descent(theta.shape, getattr(lam, "shape", ()))
            norms = steps.run(theta, lam, step_size, num_steps)
            return sweeps.phi.copy(), norms

    def solve(self, at: Any, solver: Any, curvature: str, v: Array, shift: Any) -> Any:
        """Run CG where the sweeps are; all other solvers run on the host."""
        known = type(solver) is CG and is_diagonal(shift, v.shape[1])
        if not (known and self.fits(v) and self.fits(at.phi)):
            return super().solve(at, solver, curvature, v, shift)
        with self.lock:
            return at.here(curvature).krylov.solve(solver, curvature, v, shift)

    def visit(self, phi: Array, program: str) -> Sweeps:
        """Run a program of the sweeps at φ; return them."""
        sweeps = self.sweeps
        sweeps.linearized = None
        sweeps.phi[...] = phi
        getattr(sweeps, program).run()
        return sweeps


class DeviceLinearization(SweptLinearization):
    """A ``Linearization`` on the arrays of the sweeps.

    Args:
        examples: L.
        phi: (T, P).
    """

    def __init__(self, examples: DeviceExamples, phi: Array):
        super().__init__(examples, phi)
        with examples.lock:
            sweeps = self._visit()
            self.outputs, self.value = sweeps.z.copy(), sweeps.value.copy()
            self.grad, self._hits = sweeps.phi_bar.copy(), sweeps.hits.copy()

    def __reduce__(self):
        loss = self.task_loss
        return type(loss).linearize, (loss, self.phi, self.x, self.y)

    def _visit(self) -> Sweeps:
        """Bring the sweeps to φ."""
        sweeps = self.examples.visit(self.phi, "gradient")
        sweeps.linearized, sweeps.has_bars = self._token, True
        return sweeps

    def here(self, curvature: str) -> Sweeps:
        """Return the sweeps at φ, about to make products of a kind."""
        sweeps, with_H = self.examples.sweeps, curvature == "hvp"
        if sweeps.linearized is not self._token or (with_H and not sweeps.has_bars):
            self._visit()
        # Products with G write over the cotangents that those with H need.
        sweeps.has_bars = with_H
        return sweeps

    def accuracy(self) -> Array:
        """Return the share of right answers (T,)."""
        return self._hits.astype(numpy.float64) / self.x.shape[1]

    def swept(self, curvature: str, v: Array) -> Array:
        """Return H v or G v by the sweeps."""
        with self.examples.lock:
            sweeps = self.here(curvature)
            sweeps.phi_dot[...] = v
            program, found = sweeps.product(curvature)
            program.run()
            return found.copy()
