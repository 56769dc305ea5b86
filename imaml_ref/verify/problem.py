"""A network, a θ, a λ and two tasks, with the witnesses of their meta-gradients.

The witnesses run in float64 on the host, on as many copies of a task as there are
directions: one run of the inner loop differentiates along all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from ..checks import complex_step
from ..compute import Array, to_host
from ..data import TaskBatch
from ..inner import GradientDescent
from ..meta_gradients import ProximalObjective, TaskLoss
from ..networks import Network, SoftmaxCrossEntropy, context_for
from .rows import Setting, draw

MOST_DIRECTIONS = 60


@dataclass(frozen=True)
class Problem:
    """What a meta-gradient is a function of.

    Args:
        name: Of the network.
        loss: The loss of a task.
        theta: θ, (P,).
        tasks: Two tasks.
        step_size: α of the inner loop.
        long: Steps after which the inner loop has converged to rounding.
        lam: λ, a number.
    """

    name: str
    loss: TaskLoss
    theta: Array
    tasks: TaskBatch
    step_size: float
    long: int
    lam: float = 2.0

    def on(self, setting: Setting) -> tuple[Array, TaskBatch]:
        """Return θ and the tasks on the device."""
        return setting.put(self.theta), self.tasks.map(setting.put)

    def inner(self, steps: int) -> GradientDescent:
        """Return gradient descent of that many steps."""
        return GradientDescent(self.step_size, steps)

    @cached_property
    def lams(self) -> Array:
        """A λ per parameter, around λ."""
        factors = numpy.random.default_rng(5).uniform(0.75, 1.5, len(self.theta))
        return (self.lam * factors).astype(numpy.float32).astype(numpy.float64)

    @cached_property
    def directions(self) -> Array:
        """All unit vectors, or if these are too many some random ones, (E, P)."""
        size = len(self.theta)
        if size <= MOST_DIRECTIONS:
            return numpy.eye(size)
        return draw(numpy.random.default_rng(6), 12, size) / size**0.5

    def along(self, grad: Any) -> Any:
        """Return the slopes (E,) of a gradient; that in one λ is its only slope."""
        if numpy.ndim(grad) == 0:
            return grad
        return self.directions @ to_host(grad).astype(numpy.float64)

    def theta_slopes(self, inner: GradientDescent, oracle) -> Array:
        """Return the derivatives of θ ↦ mean Q(φ_K(θ)) along the directions, (E,)."""
        start = numpy.broadcast_to(self.theta, self.directions.shape)
        return oracle(
            lambda theta: self.outer(inner, theta, self.lam), start, self.directions
        )

    def lam_slopes(self, inner: GradientDescent, oracle, lam: Any) -> Array:
        """Return the derivatives in λ: one number, or along the directions, (E,)."""
        directions = numpy.ones((1, 1)) if numpy.ndim(lam) == 0 else self.directions
        copies = numpy.broadcast_to(self.theta, (len(directions), len(self.theta)))
        start = numpy.broadcast_to(lam, directions.shape)
        slopes = oracle(lambda a: self.outer(inner, copies, a), start, directions)
        return slopes[0] if numpy.ndim(lam) == 0 else slopes

    def outer(self, inner: GradientDescent, theta: Array, lam: Any) -> Array:
        """Return mean Q(φ_K), (E,), for a θ (E, P) and a λ of each copy."""
        total = 0.0
        for t in range(len(self.tasks)):
            task = repeated(self.tasks[t : t + 1], len(theta))
            objective = ProximalObjective(
                self.loss, theta, task.support_x, task.support_y, lam
            )
            phi = inner.solve(objective, self.theta, start=theta)
            context = context_for(self.loss, task.support_x)
            total = total + self.loss.value(phi, task.query_x, task.query_y, **context)
        return total / len(self.tasks)

    def solutions(self, inner: Any, lam: Any = None) -> Array:
        """Return φ (T, P) in float64."""
        lam = self.lam if lam is None else lam
        x, y = self.tasks.support_x, self.tasks.support_y
        objective = ProximalObjective(self.loss, self.theta, x, y, lam)
        return inner.solve(objective, self.theta)

    def query_gradients(self, inner: Any, lam: Any = None) -> Array:
        """Return v = ∇Q(φ), (T, P), by the gradient that ``networks`` certifies."""
        phi, sets = self.solutions(inner, lam), self.tasks
        context = context_for(self.loss, sets.support_x)
        return self.loss.linearize(phi, sets.query_x, sets.query_y, **context).grad

    def hessians(self, phi: Array) -> Array:
        """Return H (T, P, P) at φ by complex steps of the gradient."""
        T, P = phi.shape
        tasks = repeated(self.tasks, P)

        def grad(phi):
            return self.loss.linearize(phi, tasks.support_x, tasks.support_y).grad

        axes = numpy.tile(numpy.eye(P), (T, 1))
        return complex_step(grad, phi.repeat(P, 0), axes).reshape(T, P, P)

    def dense_solution(self, inner: Any, lam: Any) -> Array:
        """Return the mean of Λ (H + Λ)⁻¹ v, (P,)."""
        A = self.hessians(self.solutions(inner, lam))
        A = A + numpy.diag(lam * numpy.ones(len(self.theta)))
        v = self.query_gradients(inner, lam)
        return lam * numpy.linalg.solve(A, v[..., None])[..., 0].mean(0)

    def released_solution(self, algorithm: Any) -> Array:
        """Return the mean of ((1 + c) I + H/(λ + d))⁻¹ v, (P,)."""
        H = self.hessians(self.solutions(algorithm.inner))
        shift = (1 + algorithm.c) * numpy.eye(len(self.theta))
        A = shift + H / (self.lam + algorithm.d)
        v = self.query_gradients(algorithm.inner)
        return numpy.linalg.solve(A, v[..., None])[..., 0].mean(0)

    def contraction(self, inner: Any) -> float:
        """Return the largest |1 − α (h + λ)| over the spectrum at φ of both tasks."""
        spectrum = numpy.linalg.eigvalsh(self.hessians(self.solutions(inner)))
        return float(numpy.abs(1 - self.step_size * (spectrum + self.lam)).max())


def make_problem(
    name: str,
    net: Network,
    *,
    step_size: float,
    long: int = 0,
    scales: Mapping[str, float] | None = None,
) -> Problem:
    """Return a problem on two random tasks of five support and four query examples.

    Args:
        name: Of the network.
        net: The network.
        step_size: See ``Problem``.
        long: See ``Problem``.
        scales: Factors on the initial parameters whose names begin so: before batch
            normalisation H falls with the square of a kernel's scale.
    """
    rng = numpy.random.default_rng(0)
    theta = net.init(rng)
    for prefix, factor in (scales or {}).items():
        for parameter, where in zip(net.layout.names, net.layout.slices, strict=True):
            theta[where] *= factor if parameter.startswith(prefix) else 1.0
    theta = theta.astype(numpy.float32).astype(numpy.float64)
    x, query = (draw(rng, 2, n, *net.input_shape) for n in (5, 4))
    y, labels = (rng.integers(net.num_outputs, size=(2, n)) for n in (5, 4))
    tasks = TaskBatch(x, y, query, labels)
    loss = TaskLoss(net, SoftmaxCrossEntropy())
    return Problem(name, loss, theta, tasks, step_size, long)


def repeated(tasks: TaskBatch, copies: int) -> TaskBatch:
    """Return every task that many times, one after the other."""
    return tasks.map(lambda a: numpy.repeat(a, copies, 0))
