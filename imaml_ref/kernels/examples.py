"""A loss of given examples on a device: what ``TaskLoss`` hands out there."""

from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy

from ..compute import Array
from ..networks import Linearization, Network, SoftmaxCrossEntropy
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


class DeviceExamples:
    """L of given examples: ``gradient`` and ``linearize`` at any φ.

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
        self.task_loss, self.x, self.y = task_loss, x, y
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
        if self.fits(phi):
            return DeviceLinearization(self, phi)
        return Linearization(self.task_loss, phi, self.x, self.y)

    def gradient(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        if not self.fits(phi):
            return self.linearize(phi).grad
        with self.lock:
            return self.visit(phi, "gradient").phi_bar.copy()

    def value(self, phi: Array) -> Array:
        """Return L (T,) alone, for one forward sweep; φ ``fits``."""
        with self.lock:
            return self.visit(phi, "forward").value.copy()

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
        with self.lock:
            sweeps = self.sweeps
            sweeps.linearized = None
            sweeps.phi[...] = phi
            steps = sweeps.descent(theta.shape, getattr(lam, "shape", ()))
            norms = steps.run(theta, lam, step_size, num_steps)
            return sweeps.phi.copy(), norms

    def visit(self, phi: Array, program: str) -> Sweeps:
        """Run a program of the sweeps at φ; return them."""
        sweeps = self.sweeps
        sweeps.linearized = None
        sweeps.phi[...] = phi
        getattr(sweeps, program).run()
        return sweeps


class DeviceLinearization(Linearization):
    """A ``Linearization`` on the arrays of the sweeps.

    These hold one point at a time.  If another has been there since, a product first
    goes back to its own.

    Args:
        examples: L.
        phi: (T, P).
    """

    def __init__(self, examples: DeviceExamples, phi: Array):
        self._examples, self.phi = examples, phi
        self._token = object()
        self.task_loss, self.x, self.y = examples.task_loss, examples.x, examples.y
        with examples.lock:
            sweeps = self._visit()
            self.outputs, self.value = sweeps.z.copy(), sweeps.value.copy()
            self.grad, self._hits = sweeps.phi_bar.copy(), sweeps.hits.copy()

    def __reduce__(self):
        loss = self.task_loss
        return type(loss).linearize, (loss, self.phi, self.x, self.y)

    def _visit(self) -> Sweeps:
        """Bring the sweeps to φ."""
        sweeps = self._examples.visit(self.phi, "gradient")
        sweeps.linearized, sweeps.has_bars = self._token, True
        return sweeps

    def _here(self, curvature: str) -> Sweeps:
        """Return the sweeps at φ, about to make products of a kind."""
        sweeps, with_H = self._examples.sweeps, curvature == "hvp"
        if sweeps.linearized is not self._token or (with_H and not sweeps.has_bars):
            self._visit()
        # Products with G write over the cotangents that those with H need.
        sweeps.has_bars = with_H
        return sweeps

    def accuracy(self) -> Array:
        """Return the share of right answers (T,)."""
        return self._hits.astype(numpy.float64) / self.x.shape[1]

    def hvp(self, v: Array) -> Array:
        """Return H v, (T, P), for v (T, P)."""
        return self._product("hvp", v)

    def gnvp(self, v: Array) -> Array:
        """Return G v, (T, P), for v (T, P)."""
        return self._product("gnvp", v)

    def _product(self, curvature: str, v: Array) -> Array:
        if not self._examples.fits(v):
            return getattr(self._plain, curvature)(v)
        with self._examples.lock:
            sweeps = self._here(curvature)
            sweeps.phi_dot[...] = v
            program, out = sweeps.product(curvature)
            program.run()
            return out.copy()

    @property
    def _plain(self) -> Linearization:
        """The same on the plain path, for v of another dtype or shape."""
        return Linearization(self.task_loss, self.phi, self.x, self.y)

    def conjugate_gradients(self, solver: Any, curvature: str, b: Array, shift: Any):
        """Return x of (H + s) x = b by CG, or with G, and what is found out on the way.

        Args:
            solver: A ``solvers.CG``.
            curvature: "hvp" or "gnvp".
            b: (T, P); what does not fit is left to the solver.
            shift: s > 0, a number or (P,); the preconditioner is 1/s.
        """
        strengths = (), b.shape[1:]
        if not self._examples.fits(b) or getattr(shift, "shape", ()) not in strengths:
            product = getattr(self, curvature)
            return solver.solve(lambda p: product(p) + shift * p, b, M=1 / shift)
        with self._examples.lock:
            return self._here(curvature).krylov.solve(solver, curvature, b, shift)
