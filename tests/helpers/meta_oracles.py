"""Slow, obvious meta-gradients: dense matrices, plain loops, rational arithmetic."""

from fractions import Fraction

import numpy as np

from imaml_ref.networks import context_for
from tests.helpers import oracles


def hessian(loss, phi, x, y):
    """Return ∇²L (T, P, P), column by column as the complex step of the gradient."""
    return oracles.jacobian(lambda at: loss.linearize(at, x, y).grad, phi)


def dense_answer(problem, phi, damping=0.0):
    """Return g_t (T, P) and dQ_t/dλ (T, P) of (5) and (7) by LAPACK."""
    tasks, size = problem.tasks, problem.theta.size
    lam = np.broadcast_to(problem.lam, (size,))
    H = hessian(problem.loss, phi, tasks.support_x, tasks.support_y)
    v = query(problem, phi).grad
    x = np.linalg.solve(H + np.diag(lam + damping), v[..., None])[..., 0]
    return lam * x, -x * (phi - problem.theta)


def query(problem, phi):
    """Return Q linearised at φ (T, P), each task with its support set."""
    tasks = problem.tasks
    context = context_for(problem.loss, tasks.support_x)
    return problem.loss.linearize(phi, tasks.query_x, tasks.query_y, **context)


def newton(problem, steps=30):
    """Return φ* (T, P) of a convex problem by full Newton steps with a dense H."""
    tasks, theta = problem.tasks, problem.theta
    lam = np.broadcast_to(problem.lam, theta.shape)
    phi = np.tile(theta, (len(tasks), 1))
    for _ in range(steps):
        x, y = tasks.support_x, tasks.support_y
        grad = problem.loss.linearize(phi, x, y).grad + lam * (phi - theta)
        A = hessian(problem.loss, phi, x, y) + np.diag(lam)
        phi = phi - np.linalg.solve(A, grad[..., None])[..., 0]
    return phi


def gradient_norm(problem, phi):
    """Return ‖∇G(φ)‖ over all tasks."""
    tasks = problem.tasks
    support = problem.loss.linearize(phi, tasks.support_x, tasks.support_y)
    return np.linalg.norm(support.grad + problem.lam * (phi - problem.theta))


def ridge_answer(problem):
    """Return φ*, g and dQ_t/dλ (T, P) of ``problems.ridge`` by its normal equations."""
    tasks, theta = problem.tasks, problem.theta.reshape(7, 2)
    lam = np.broadcast_to(problem.lam, problem.theta.shape).reshape(7, 2)
    answers = np.empty((3, len(tasks), 7, 2))
    for t, d in np.ndindex(len(tasks), 2):
        X, X_q = with_one(tasks.support_x[t]), with_one(tasks.query_x[t])
        y, y_q = tasks.support_y[t, :, d], tasks.query_y[t, :, d]
        A = X.T @ X / len(X) + np.diag(lam[:, d])
        w = np.linalg.solve(A, X.T @ y / len(X) + lam[:, d] * theta[:, d])
        x = np.linalg.solve(A, X_q.T @ (X_q @ w - y_q) / len(X_q))
        answers[:, t, :, d] = w, lam[:, d] * x, -x * (w - theta[:, d])
    return answers.reshape(3, len(tasks), 14)


def with_one(x):
    return np.hstack([x.reshape(len(x), -1), np.ones((len(x), 1))])


def outer_values(problem, thetas, lams, num_steps):
    """Return F(θ) = mean_t Q_t(φ_K(θ)) at D places, by a plain loop.

    Args:
        problem: Its tasks and step size count.
        thetas: (D, P), real or complex.
        lams: A number, (P,), or one of them for each place: (D, 1), (D, P).
        num_steps: K.
    """
    D, count = len(thetas), len(problem.tasks)
    x, y, x_q, y_q = (
        np.concatenate([getattr(problem.tasks, name)] * D)
        for name in ("support_x", "support_y", "query_x", "query_y")
    )
    theta = phi = np.repeat(thetas, count, axis=0)
    lam = np.repeat(lams, count, axis=0) if np.ndim(lams) == 2 else lams
    for _ in range(num_steps):
        grad = problem.loss.linearize(phi, x, y).grad + lam * (phi - theta)
        phi = phi - problem.step_size * grad
    found = problem.loss.linearize(phi, x_q, y_q, **context_for(problem.loss, x))
    return found.value.reshape(D, count).mean(1)


def theta_slopes(problem, num_steps):
    """Return dF/dθ (P,), all complex steps at once."""
    thetas = problem.theta + 1e-30j * np.eye(problem.theta.size)
    return outer_values(problem, thetas, problem.lam, num_steps).imag / 1e-30


def lam_slopes(problem, num_steps):
    """Return dF/dλ, () or (P,), all complex steps at once."""
    size = np.size(problem.lam)
    lams = problem.lam + 1e-30j * np.eye(size)
    thetas = np.tile(problem.theta, (size, 1))
    found = outer_values(problem, thetas, lams, num_steps).imag / 1e-30
    return found.reshape(np.shape(problem.lam))


def first_order_gap(problem, phi, g):
    """Return ‖mean v − mean g‖ / ‖mean g‖, how far first order is away."""
    v = query(problem, phi).grad
    return np.linalg.norm(v.mean(0) - g.mean(0)) / np.linalg.norm(g.mean(0))


def fractions(a):
    """Return an array of floats as an array of exact Fractions."""
    return np.vectorize(Fraction, otypes=[object])(a)


def solve_exactly(A, b):
    """Solve A x = b by Gaussian elimination in rational arithmetic; A definite."""
    A, b = A.copy(), b.copy()
    for i in range(len(b)):
        for j in range(i + 1, len(b)):
            factor = A[j, i] / A[i, i]
            A[j], b[j] = A[j] - factor * A[i], b[j] - factor * b[i]
    for i in reversed(range(len(b))):
        b[i] = (b[i] - A[i, i + 1 :] @ b[i + 1 :]) / A[i, i]
    return b


def conjugate_gradients(A, b, num_steps):
    """Return CG's iterates on A x = b and pᵀAp of each step, one system, no tricks."""
    x, r = np.zeros_like(b), b.copy()
    p, iterates, curvatures = r.copy(), [], []
    for _ in range(num_steps):
        q = A @ p
        curvatures.append(p @ q)
        alpha = r @ r / (p @ q)
        x, r_next = x + alpha * p, r - alpha * q
        p, r = r_next + (r_next @ r_next) / (r @ r) * p, r_next
        iterates.append(x)
    return iterates, curvatures
