"""Small meta-learning problems.

Axes all of different lengths, nothing zero, and the first-order answer at least 5 %
away from the true one (``meta_oracles.first_order_gap``): else a test could not tell
the two apart.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import imaml_ref as ir
from imaml_ref.layers import (
    BatchNorm2d,
    Softplus,
    SupportNorm2d,
    Tanh,
    TaskNorm2d,
)

T, N, M = 3, 5, 4  # tasks, support and query examples


@dataclass(frozen=True)
class Problem:
    """A loss, θ, tasks, λ, and a step size at which gradient descent contracts."""

    loss: Any
    theta: np.ndarray
    tasks: Any
    lam: Any
    step_size: float = 0.3

    def per_parameter(self):
        """Return the problem with a λ for every parameter, within a factor of 3."""
        spread = np.random.default_rng(5).uniform(0.6, 1.8, self.theta.shape)
        return replace(self, lam=self.lam * spread)

    def descent(self, num_steps):
        return ir.GradientDescent(self.step_size, num_steps)

    def objective(self):
        x, y = self.tasks.support_x, self.tasks.support_y
        return ir.ProximalObjective(self.loss, self.theta, x, y, self.lam)

    def astype(self, dtype):
        floats = [
            a.astype(dtype) if a.dtype.kind == "f" else a
            for a in (
                self.tasks.support_x,
                self.tasks.support_y,
                self.tasks.query_x,
                self.tasks.query_y,
            )
        ]
        theta = self.theta.astype(dtype)
        return replace(self, theta=theta, tasks=ir.TaskBatch(*floats))


def make_tasks(net, outer, *, num_tasks=T, support=N, query=M, seed=0):
    """Draw tasks of random inputs, and labels or targets as the loss asks for."""
    rng = np.random.default_rng(seed)

    def examples(count):
        x = rng.normal(size=(num_tasks, count, *net.input_shape))
        if isinstance(outer, ir.SquaredError):
            return x, rng.normal(size=(num_tasks, count, net.num_outputs))
        return x, rng.integers(net.num_outputs, size=(num_tasks, count))

    return ir.TaskBatch(*examples(support), *examples(query))


def make_problem(net, outer, *, lam, step_size=0.3, seed=0, **sizes):
    theta = net.init(np.random.default_rng(seed + 1))
    tasks = make_tasks(net, outer, seed=seed + 2, **sizes)
    return Problem(ir.TaskLoss(net, outer), theta, tasks, lam, step_size)


def ridge():
    net = ir.architectures.linear((3, 2), 2)
    return make_problem(net, ir.SquaredError(), lam=0.7, step_size=0.1)


def softmax_regression():
    net = ir.architectures.linear((2, 3), 4)
    return make_problem(net, ir.SoftmaxCrossEntropy(), lam=0.4, step_size=0.3)


def curved():
    """A smooth net with no batch norm, whose Hessian is not its Gauss-Newton."""
    net = ir.architectures.mlp((3,), (5,), 4, activation=Tanh)
    return make_problem(net, ir.SoftmaxCrossEntropy(), lam=2.0)


def kinked():
    net = ir.architectures.mlp((3, 2), (5,), 4)
    return make_problem(net, ir.SoftmaxCrossEntropy(), lam=0.5)


def batch_normed(norm=BatchNorm2d):
    net = ir.architectures.omniglot_cnn(
        3, input_shape=(5, 6, 2), num_filters=2, activation=Softplus, norm=norm
    )
    return make_problem(net, ir.SoftmaxCrossEntropy(), lam=0.6, step_size=0.1)


def support_normed():
    """Queries are normalised with the moments of the support set."""
    return batch_normed(SupportNorm2d)


def task_normed():
    """Those moments and each image's own are blended, with an α that differs."""
    problem = batch_normed(TaskNorm2d)
    rng, theta = np.random.default_rng(7), problem.theta.copy()
    layout = problem.loss.net.layout
    for name, where in zip(layout.names, layout.slices, strict=True):
        if name.endswith(("scale", "offset")):
            theta[where] = rng.uniform(-0.5, 0.5)
    return replace(problem, theta=theta)


PROBLEMS = {
    make.__name__: make()
    for make in (
        ridge,
        softmax_regression,
        curved,
        kinked,
        batch_normed,
        support_normed,
        task_normed,
    )
}
PROBLEMS |= {f"{name}-lam": p.per_parameter() for name, p in PROBLEMS.items()}
CONVEX = {n: p for n, p in PROBLEMS.items() if n.startswith(("ridge", "softmax"))}


class Quadratic:
    """A user's own loss, ½ φᵀAφ − bᵀφ, given A (T, P, P) as x and b (T, P) as y."""

    def linearize(self, phi, A, b):
        return QuadraticAt(phi, A, b)


class QuadraticAt:
    def __init__(self, phi, A, b):
        product = (A @ phi[..., None])[..., 0]
        self.A = A
        self.value = ((product / 2 - b) * phi).sum(-1)
        self.grad = product - b

    def hvp(self, v):
        return (self.A @ v[..., None])[..., 0]


def quadratic(*, num_tasks=4, size=5, seed=0, lowest=0.5):
    """Small integers over 4: every sum of a few products is exact in float64."""
    rng = np.random.default_rng(seed)
    halves = [rng.integers(-3, 4, size=(num_tasks, size, size)) for _ in range(2)]
    A, A_query = (r @ r.transpose(0, 2, 1) / 4 + lowest * np.eye(size) for r in halves)
    b, b_query = rng.integers(-4, 5, size=(2, num_tasks, size)) / 2
    theta = rng.integers(-4, 5, size=size) / 4
    tasks = ir.TaskBatch(A, b, A_query, b_query)
    return Problem(Quadratic(), theta, tasks, 0.75, 1 / 16)
