"""Two tasks on small integers, solved without rounding by ``fractions``.

One output, features (x₁, x₂, 1), two support examples and one query example: H, φ*, g
and dF/dλ are rational numbers, and so is every iterate of gradient descent.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy

from ..data import TaskBatch
from ..inner import GradientDescent, NewtonCG
from ..meta_gradients import TaskLoss, implicit_gradient, unrolled_gradient
from ..networks import SquaredError, linear
from ..solvers import CG
from .rows import Row, Setting

PART = "rational arithmetic"
LOSS = TaskLoss(linear((2,), 1), SquaredError())
THETA = (1, -2, 1)
LAM, ALPHA, STEPS = Fraction(1, 2), Fraction(1, 8), 3
# Per task: features and target of two support examples, then of the query example.
TASKS = (
    (((1, 2, 1), 3), ((-1, 1, 1), -2), ((2, -1, 1), 1)),
    (((2, 0, 1), -1), ((1, -3, 1), 4), ((1, 1, 1), -3)),
)

Vector = list[Fraction]


def rational_rows(setting: Setting) -> Iterator[Row]:
    """Yield the implicit and the unrolled gradient, and the one in λ."""
    tasks, theta = setting.put_tasks(as_batch()), setting.put(numpy.array(THETA, float))
    lam = float(LAM)
    found = implicit_gradient(
        LOSS,
        theta,
        tasks,
        lam=lam,
        inner=NewtonCG(num_steps=4, cg_steps=6),
        solver=CG(maxiter=6),
    )
    exact = [implicit(t) for t in TASKS]
    witness, need = "fractions, no rounding", (13, 5)
    pair = (found.grad, mean([g for g, _ in exact]))
    yield setting.row(PART, "meta-gradient", witness, pair, need)
    pair = (found.lam_grad, mean([[d] for _, d in exact])[0])
    yield setting.row(PART, "gradient in λ", witness, pair, need)
    inner = GradientDescent(float(ALPHA), STEPS)
    grad = unrolled_gradient(LOSS, theta, tasks, lam=lam, inner=inner).grad
    pair = (grad, mean([unrolled(t) for t in TASKS]))
    yield setting.row(PART, "unrolled gradient, K = 3", witness, pair, need)


def as_batch() -> TaskBatch:
    """Return the tasks as arrays; the constant feature is the bias."""
    x = numpy.array([[e[0][:2] for e in task] for task in TASKS], float)
    y = numpy.array([[[e[1]] for e in task] for task in TASKS], float)
    return TaskBatch(x[:, :2], y[:, :2], x[:, 2:], y[:, 2:])


def implicit(task) -> tuple[Vector, Fraction]:
    """Return g and dF/dλ of a task."""
    H, right = normal_equations(task[:2])
    A = shifted(H)
    theta = list(map(Fraction, THETA))
    phi = solve(A, [r + LAM * a for r, a in zip(right, theta, strict=True)])
    x = solve(A, gradient(task[2:], phi))
    pull = [a - b for a, b in zip(phi, theta, strict=True)]
    return [LAM * a for a in x], -dot(x, pull)


def unrolled(task) -> Vector:
    """Return the derivative of Q(φ_K(θ)), by the product of the Jacobians."""
    H, _ = normal_equations(task[:2])
    phi = theta = list(map(Fraction, THETA))
    jacobian = identity(3)
    for _ in range(STEPS):
        pull = [LAM * (a - b) for a, b in zip(phi, theta, strict=True)]
        slope = [a + b for a, b in zip(gradient(task[:2], phi), pull, strict=True)]
        phi = [a - ALPHA * b for a, b in zip(phi, slope, strict=True)]
        moved = [[dot(row, c) for c in columns(jacobian)] for row in shifted(H)]
        jacobian = [
            [
                jacobian[i][j] - ALPHA * moved[i][j] + ALPHA * LAM * (i == j)
                for j in range(3)
            ]
            for i in range(3)
        ]
    v = gradient(task[2:], phi)
    return [dot(column, v) for column in columns(jacobian)]


def normal_equations(examples) -> tuple[list[Vector], Vector]:
    """Return XᵀX/N and Xᵀy/N."""
    size = range(3)
    n = len(examples)
    H = [
        [Fraction(sum(x[i] * x[j] for x, _ in examples), n) for j in size] for i in size
    ]
    return H, [Fraction(sum(x[i] * y for x, y in examples), n) for i in size]


def gradient(examples, phi: Vector) -> Vector:
    """Return Xᵀ(Xφ − y)/N."""
    H, right = normal_equations(examples)
    return [dot(row, phi) - r for row, r in zip(H, right, strict=True)]


def solve(A: list[Vector], b: Vector) -> Vector:
    """Solve A x = b by elimination; A is positive definite, so no pivot is zero."""
    rows = [[*row, r] for row, r in zip(A, b, strict=True)]
    for i in range(len(rows)):
        rows[i] = [a / rows[i][i] for a in rows[i]]
        for j in range(len(rows)):
            if j != i:
                factor = rows[j][i]
                rows[j] = [
                    a - factor * c for a, c in zip(rows[j], rows[i], strict=True)
                ]
    return [row[-1] for row in rows]


def shifted(H: list[Vector]) -> list[Vector]:
    """Return H + λI."""
    return [[a + LAM * (i == j) for j, a in enumerate(row)] for i, row in enumerate(H)]


def identity(size: int) -> list[Vector]:
    """Return the unit matrix."""
    return [[Fraction(int(i == j)) for j in range(size)] for i in range(size)]


def columns(matrix: list[Vector]) -> list[Vector]:
    """Return the columns of a matrix."""
    return [list(column) for column in zip(*matrix, strict=True)]


def dot(a: Vector, b: Vector) -> Fraction:
    """Return ⟨a, b⟩."""
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def mean(vectors: list[Vector]) -> numpy.ndarray:
    """Return the mean of vectors, rounded once, at the end."""
    return numpy.array(
        [
            float(sum(entries, Fraction(0)) / len(vectors))
            for entries in columns(vectors)
        ]
    )
