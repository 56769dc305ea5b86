"""Softmax regression with a proximal term: one solution, whoever finds it.

The witness is written out here once more, on plain arrays, and solves the inner problem
by Newton's method on a dense Hessian.  All of it is complex-safe, so that derivatives
of F(θ, λ) = mean Q(φ*(θ, λ)) are the complex step of the optimum itself: they do not
know the implicit function theorem.
"""

from collections.abc import Iterator
from typing import Any

import numpy

from ..checks import central_difference, complex_step
from ..compute import to_host
from ..data import TaskBatch
from ..inner import LBFGS, Adam, GradientDescent, Momentum, NewtonCG
from ..meta_gradients import TaskLoss, implicit_gradient
from ..networks import SoftmaxCrossEntropy, linear
from ..solvers import CG
from .quadratics import features
from .rows import Row, Setting, draw

PART = "softmax regression"
INPUTS, WAYS = 4, 3
SIZE = (INPUTS + 1) * WAYS
LOSS = TaskLoss(linear((INPUTS,), WAYS), SoftmaxCrossEntropy())
LAM = 1.0
INNER: dict[str, Any] = {
    "gradient descent": GradientDescent(0.25, 250),
    "momentum": Momentum(0.1, 400, 0.8),
    "Adam": Adam(0.2, 600, decay=1e-3),
    "L-BFGS": LBFGS(maxiter=200, tol=1e-13),
    "Newton-CG": NewtonCG(num_steps=12, cg_steps=2 * SIZE),
}


def strongly_convex_rows(setting: Setting) -> Iterator[Row]:
    """Yield the five inner solvers, the gradient in λ, and the bound."""
    tasks, theta = random_tasks(), draw(numpy.random.default_rng(1), SIZE)
    yield from inner_rows(setting, tasks, theta)
    rng = numpy.random.default_rng(2)
    lam = numpy.float32(rng.uniform(0.25, 2.0, SIZE)).astype(float)
    yield from lam_rows(setting, tasks, theta, LAM, "scalar λ")
    yield from lam_rows(setting, tasks, theta, lam, "λ per parameter")
    yield bound_row(setting, tasks, theta)


def random_tasks() -> TaskBatch:
    """Draw two tasks of seven support and six query examples."""
    rng = numpy.random.default_rng(0)
    x, query = draw(rng, 2, 7, INPUTS), draw(rng, 2, 6, INPUTS)
    return TaskBatch(
        x, rng.integers(WAYS, size=(2, 7)), query, rng.integers(WAYS, size=(2, 6))
    )


def solved(setting: Setting, tasks, theta, lam, inner, cg_steps=3 * SIZE, **options):
    """Return the implicit meta-gradient of the subject."""
    return implicit_gradient(
        LOSS,
        setting.put(theta),
        tasks.map(setting.put),
        lam=setting.put(lam),
        inner=inner,
        solver=CG(maxiter=cg_steps),
        **options,
    )


def inner_rows(setting: Setting, tasks, theta) -> Iterator[Row]:
    """Yield the meta-gradient after each of the five inner solvers."""
    want, witness = gradient(theta, tasks), "complex step of the optimum"
    for name, inner in INNER.items():
        found = solved(setting, tasks, theta, LAM, inner)
        claim = f"meta-gradient after {name}"
        yield setting.row(PART, claim, witness, (found.grad, want), (8, 4))


def lam_rows(setting: Setting, tasks, theta, lam, kind: str) -> Iterator[Row]:
    """Yield the gradient in λ against both differentiations of the optimum."""
    found = solved(setting, tasks, theta, lam, INNER["Newton-CG"]).lam_grad
    for name, oracle, need in (
        ("complex step", complex_step, (10, 4)),
        ("central differences", central_difference, (6, 4)),
    ):
        directions = [1.0] if numpy.ndim(lam) == 0 else EYE
        want = [oracle(lambda a: outer(theta, a, tasks), lam, e) for e in directions]
        pair = (found, numpy.array(want))
        yield setting.row(
            PART, f"gradient in λ, {kind}", f"{name} of the optimum", pair, need
        )


def bound_row(setting: Setting, tasks, theta) -> Row:
    """Compare the error after a short inner loop and three CG steps with its bound."""
    inner, keep = GradientDescent(0.25, 12), ("task_grads",)
    found = solved(setting, tasks, theta, LAM, inner, cg_steps=3, keep=keep)
    one = [tasks[t : t + 1] for t in range(len(tasks))]
    want = numpy.stack([gradient(theta, task) for task in one])
    error = numpy.linalg.norm(to_host(found.task_grads) - want, axis=1)
    bound = found.diagnostics.bound
    holds = bound is not None and bool((error <= bound).all() and (error > 0).all())
    claim = "error of a short run is below the proven bound"
    return setting.verdict(PART, claim, "the optimum", holds)


EYE = numpy.eye(SIZE)


def gradient(theta, tasks: TaskBatch):
    """Return dF/dθ, (P,), by the complex step."""
    slopes = [complex_step(lambda a: outer(a, LAM, tasks), theta, e) for e in EYE]
    return numpy.array(slopes)


def outer(theta, lam, tasks: TaskBatch):
    """Return F(θ, λ), the mean over tasks of the query loss at the optimum."""
    total = 0.0
    for t in range(len(tasks)):
        phi = optimum(theta, lam, tasks.support_x[t], tasks.support_y[t])
        total = total + value(phi, tasks.query_x[t], tasks.query_y[t])
    return total / len(tasks)


def optimum(theta, lam, x, y):
    """Return φ*(θ, λ), (P,), by 12 Newton steps from θ; complex-safe."""
    phi = theta
    for _ in range(12):
        X, p = features(x), probabilities(phi, x)
        slope = (X.T @ (p - numpy.eye(WAYS)[y]) / len(x)).ravel() + lam * (phi - theta)
        spread = p[:, :, None] * (numpy.eye(WAYS) - p[:, None, :])
        H = numpy.einsum("ni,nkl,nj->ikjl", X, spread, X) / len(x)
        A = H.reshape(SIZE, SIZE) + numpy.diag(lam * numpy.ones(SIZE))
        phi = phi - numpy.linalg.solve(A, slope)
    return phi


def value(phi, x, y):
    """Return the cross-entropy."""
    return -numpy.log(probabilities(phi, x)[numpy.arange(len(y)), y]).mean()


def probabilities(phi, x):
    """Return the softmax of X Φ, (N, ways)."""
    z = numpy.exp(features(x) @ phi.reshape(-1, WAYS))
    return z / z.sum(1, keepdims=True)
