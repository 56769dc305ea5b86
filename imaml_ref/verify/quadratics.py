"""Ridge regression: the inner problem has a closed form, and so has everything else.

With features x̃ = (x, 1) as rows of X, targets Y and parameters Φ (features, outputs),

    L(Φ) = ‖X Φ − Y‖² / 2N,   H = S ⊗ I,  S = XᵀX / N,
    φ* = (H + Λ)⁻¹ (vec(XᵀY/N) + Λθ),   g = Λ (H + Λ)⁻¹ v

On small integers all of it is rational, and ``fractions`` computes it without rounding.
"""

from collections.abc import Iterator
from typing import Any

import numpy

from ..checks import complex_step
from ..data import TaskBatch
from ..inner import GradientDescent, NewtonCG
from ..meta_gradients import (
    TaskLoss,
    implicit_gradient,
    implicit_gradient_at,
    unrolled_gradient,
)
from ..networks import SquaredError, linear
from ..solvers import CG
from .convergence import convergence_rows
from .rational import rational_rows
from .rows import Row, Setting, draw

PART = "ridge regression"
LOSS = TaskLoss(linear((3,), 2), SquaredError())
LAM = 0.75


def quadratic_rows(setting: Setting) -> Iterator[Row]:
    """Yield the rows of ridge regression and of rational arithmetic."""
    yield from ridge_rows(setting, LAM, "scalar λ")
    lam = numpy.random.default_rng(1).uniform(0.25, 2.0, LOSS.net.layout.size)
    yield from ridge_rows(setting, numpy.float32(lam).astype(float), "λ per parameter")
    yield from contraction_rows(setting)
    yield from rational_rows(setting)


def random_tasks(seed: int = 0) -> TaskBatch:
    """Draw three tasks of six support and five query examples."""
    rng = numpy.random.default_rng(seed)
    shapes = ((3, 6, 3), (3, 6, 2), (3, 5, 3), (3, 5, 2))
    return TaskBatch(*(draw(rng, *shape) for shape in shapes))


def ridge_rows(setting: Setting, lam: Any, kind: str) -> Iterator[Row]:
    """Yield solution, meta-gradient and gradient in λ against the closed form."""
    tasks, theta = random_tasks(), draw(numpy.random.default_rng(2), 8)
    on = tasks.map(setting.put)
    start = setting.put(theta)
    phi = numpy.stack([solution(theta, lam, tasks, t) for t in range(3)])
    want = numpy.mean([meta_gradient(theta, lam, tasks, t) for t in range(3)], 0)
    options = {"lam": setting.put(lam), "solver": CG(maxiter=16)}
    found = implicit_gradient(
        LOSS,
        start,
        on,
        inner=NewtonCG(num_steps=4, cg_steps=16),
        keep=("phi",),
        **options,
    )
    witness, need = "closed form", (12, 5)
    yield setting.row(PART, f"φ*, {kind}", witness, (found.phi, phi), need)
    pair = (found.grad, want)
    yield setting.row(PART, f"meta-gradient, {kind}", witness, pair, need)
    at = implicit_gradient_at(LOSS, start, setting.put(phi), on, **options)
    claim = f"meta-gradient at a given φ, {kind}"
    yield setting.row(PART, claim, witness, (at.grad, want), need)
    pair = (found.lam_grad, lam_gradient(theta, lam, tasks))
    witness = "complex step of the closed form"
    yield setting.row(PART, f"gradient in λ, {kind}", witness, pair, need)


def solution(theta, lam, tasks: TaskBatch, t: int):
    """Return φ* (P,) of task t in closed form; complex-safe in θ and λ."""
    X, Y = features(tasks.support_x[t]), tasks.support_y[t]
    pull = lam * theta
    right = (X.T @ Y / len(X)).ravel() + pull
    return numpy.linalg.solve(hessian(X, Y) + strength(lam, len(theta)), right)


def meta_gradient(theta, lam, tasks: TaskBatch, t: int):
    """Return g (P,) of task t in closed form."""
    phi = solution(theta, lam, tasks, t)
    X, Y = features(tasks.support_x[t]), tasks.support_y[t]
    query, targets = features(tasks.query_x[t]), tasks.query_y[t]
    v = (query.T @ (query @ phi.reshape(-1, 2) - targets) / len(query)).ravel()
    return lam * numpy.linalg.solve(hessian(X, Y) + strength(lam, len(theta)), v)


def lam_gradient(theta, lam, tasks: TaskBatch):
    """Return dF/dλ by the complex step of λ ↦ mean Q(φ*(λ)), per parameter or not."""

    def outer(lam):
        total = 0.0
        for t in range(len(tasks)):
            phi = solution(theta, lam, tasks, t).reshape(-1, 2)
            away = features(tasks.query_x[t]) @ phi - tasks.query_y[t]
            total = total + (away**2).sum() / (2 * len(away) * len(tasks))
        return total

    if numpy.ndim(lam) == 0:
        return numpy.asarray(complex_step(outer, lam, 1.0))
    return numpy.array([complex_step(outer, lam, e) for e in numpy.eye(len(lam))])


def features(x):
    """Return (x, 1), (N, features)."""
    return numpy.concatenate([x, numpy.ones((len(x), 1))], axis=1)


def hessian(X, Y):
    """Return H = XᵀX/N ⊗ I, (P, P)."""
    return numpy.kron(X.T @ X / len(X), numpy.eye(Y.shape[1]))


def strength(lam, size: int):
    """Return Λ, (P, P)."""
    return numpy.diag(lam * numpy.ones(size))


def contraction_rows(setting: Setting) -> Iterator[Row]:
    """Yield unrolled → implicit, where one mode is slow: it contracts by 0.93 per step.

    The others have curvatures near 1 and are gone after a few steps.
    """
    lam, alpha, factor = 0.03125, 0.9, 0.93
    tasks = designed_tasks((1 - factor) / alpha - lam)
    theta = draw(numpy.random.default_rng(4), 8)
    want = numpy.mean([meta_gradient(theta, lam, tasks, t) for t in range(3)], 0)
    start, on = setting.put(theta), tasks.map(setting.put)

    def unrolled(steps):
        inner = GradientDescent(alpha, steps)
        return unrolled_gradient(LOSS, start, on, lam=lam, inner=inner).grad

    yield from convergence_rows(setting, PART, unrolled, want, factor)


def designed_tasks(slow: float) -> TaskBatch:
    """Return tasks with XᵀX/N = diag(slow, 1.2, 0.8, 1), to rounding of float32."""
    rng, tasks = numpy.random.default_rng(3), random_tasks(3)
    x = []
    for _ in range(3):
        columns = numpy.concatenate([numpy.ones((6, 1)), draw(rng, 6, 3)], axis=1)
        basis = numpy.linalg.qr(columns)[0][:, 1:]
        x.append(basis * (6 * numpy.array([slow, 1.2, 0.8])) ** 0.5)
    support_x = numpy.stack(x).astype(numpy.float32).astype(numpy.float64)
    return TaskBatch(support_x, tasks.support_y, tasks.query_x, tasks.query_y)
