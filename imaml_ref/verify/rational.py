"""Two tasks on small integers, solved without rounding by ``fractions``.

One output, features (x₁, x₂, 1), two support examples and one query example: H, φ*, g
and dF/dλ are rational numbers, and so is every iterate of gradient descent.  Arrays of
fractions are NumPy's, of objects: its sums and products are exact on them.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy

from ..compute import Array
from ..data import TaskBatch
from ..inner import GradientDescent, NewtonCG
from ..meta_gradients import TaskLoss, implicit_gradient, unrolled_gradient
from ..networks import SquaredError, linear
from ..solvers import CG
from .rows import Row, Setting

PART = "rational arithmetic"
LOSS = TaskLoss(linear((2,), 1), SquaredError())
LAM, ALPHA, STEPS = Fraction(1, 2), Fraction(1, 8), 3


def exact(numbers) -> Array:
    """Return numbers as an array of fractions, of the same values."""
    return numpy.vectorize(Fraction, otypes=[object])(numpy.asarray(numbers, object))


THETA, IDENTITY = exact([1, -2, 1]), exact(numpy.eye(3))
# Per task: features of two support examples and of the query example, then targets.
X = exact([[[1, 2, 1], [-1, 1, 1], [2, -1, 1]], [[2, 0, 1], [1, -3, 1], [1, 1, 1]]])
Y = exact([[3, -2, 1], [-1, 4, -3]])


def rational_rows(setting: Setting) -> Iterator[Row]:
    """Yield the implicit and the unrolled gradient, and the one in λ."""
    tasks, theta = as_batch().map(setting.put), setting.put(THETA.astype(float))
    lam = float(LAM)
    found = implicit_gradient(
        LOSS,
        theta,
        tasks,
        lam=lam,
        inner=NewtonCG(num_steps=4, cg_steps=6),
        solver=CG(maxiter=6),
    )
    grads, lam_grads = zip(*map(implicit, X, Y), strict=True)
    witness, need = "fractions, no rounding", (13, 5)
    pair = (found.grad, mean(grads))
    yield setting.row(PART, "meta-gradient", witness, pair, need)
    pair = (found.lam_grad, mean(lam_grads))
    yield setting.row(PART, "gradient in λ", witness, pair, need)
    inner = GradientDescent(float(ALPHA), STEPS)
    grad = unrolled_gradient(LOSS, theta, tasks, lam=lam, inner=inner).grad
    pair = (grad, mean(map(unrolled, X, Y)))
    yield setting.row(PART, "unrolled gradient, K = 3", witness, pair, need)


def as_batch() -> TaskBatch:
    """Return the tasks as arrays; the constant feature is the bias."""
    x, y = X[..., :2].astype(float), Y[..., None].astype(float)
    return TaskBatch(x[:, :2], y[:, :2], x[:, 2:], y[:, 2:])


def implicit(x: Array, y: Array) -> tuple[Array, Fraction]:
    """Return g and dF/dλ of a task."""
    A = hessian(x[:2]) + LAM * IDENTITY
    phi = solve(A, x[:2].T @ y[:2] / len(x[:2]) + LAM * THETA)
    away = solve(A, gradient(x[2:], y[2:], phi))
    return LAM * away, -(away @ (phi - THETA))


def unrolled(x: Array, y: Array) -> Array:
    """Return the derivative of Q(φ_K(θ)), by the product of the Jacobians."""
    A, phi, jacobian = hessian(x[:2]) + LAM * IDENTITY, THETA, IDENTITY
    for _ in range(STEPS):
        slope = gradient(x[:2], y[:2], phi) + LAM * (phi - THETA)
        phi = phi - ALPHA * slope
        jacobian = jacobian - ALPHA * (A @ jacobian) + ALPHA * LAM * IDENTITY
    return jacobian.T @ gradient(x[2:], y[2:], phi)


def hessian(x: Array) -> Array:
    """Return XᵀX/N."""
    return x.T @ x / len(x)


def gradient(x: Array, y: Array, phi: Array) -> Array:
    """Return Xᵀ(Xφ − y)/N."""
    return x.T @ (x @ phi - y) / len(x)


def solve(A: Array, b: Array) -> Array:
    """Solve A x = b by elimination; A is positive definite, so no pivot is zero."""
    rows = numpy.column_stack([A, b])
    for i in range(len(rows)):
        rows[i] = rows[i] / rows[i, i]
        for j in range(len(rows)):
            if j != i:
                rows[j] = rows[j] - rows[j, i] * rows[i]
    return rows[:, -1]


def mean(found) -> Array:
    """Return the mean over tasks, rounded once, at the end."""
    return numpy.asarray(numpy.mean([*found], axis=0), float)
