"""Slow, obvious ANIL, BOIL, Meta-SGD, MAML++: plain loops and dense algebra."""

import numpy as np

from tests.helpers.meta_oracles import hessian


def where(net, names):
    """Return which parameters belong to the named layers, a mask (P,)."""
    layout = net.layout
    found = np.zeros(layout.size)
    for name, part in zip(layout.names, layout.slices, strict=True):
        found[part] = name.split(".")[0] in names
    return found


def newton_in(problem, mask, thetas, steps=15):
    """Return φ (D, T, P) that minimises G over what moves, for each θ of (D, P)."""
    tasks = problem.tasks
    inside = np.flatnonzero(mask)
    lam = np.broadcast_to(problem.lam, mask.shape)
    found = np.repeat(thetas[:, None], len(tasks), 1)
    for d, theta in enumerate(thetas):
        phi = found[d]
        for _ in range(steps):
            x, y = tasks.support_x, tasks.support_y
            grad = problem.loss.linearize(phi, x, y).grad + lam * (phi - theta)
            A = hessian(problem.loss, phi, x, y) + np.diag(lam)
            block = A[:, inside[:, None], inside]
            step = np.linalg.solve(block, grad[:, inside, None])[..., 0]
            phi[:, inside] -= step
    return found


def differenced(problem, mask, directions, step=1e-3):
    """Return d/dθ of mean Q(φ*(θ)) along (D, P), (D,): differences of fourth order."""
    tasks = problem.tasks

    def outer(shift):
        thetas = problem.theta + shift * directions
        phi = newton_in(problem, mask, thetas)
        return np.array(
            [
                problem.loss.linearize(p, tasks.query_x, tasks.query_y).value.mean()
                for p in phi
            ]
        )

    near, far = (outer(s) - outer(-s) for s in (step, 2 * step))
    return (8 * near - far) / (12 * step)


def outer_values(problem, thetas, lam, alphas, num_steps, *, mask=1.0, weights=None):
    """Return Σ_k w_k mean_t Q_t(φ_k), (D,), at D places by a plain loop.

    Args:
        problem: Its loss and tasks count.
        thetas: (D, P).
        lam: λ, a number.
        alphas: α, a number, or (D, P).
        num_steps: K.
        mask: 1 where the loop moves, (P,).
        weights: w_0, …, w_K; None is the last alone.
    """
    D, count = len(thetas), len(problem.tasks)
    x, y, x_q, y_q = (
        np.concatenate([getattr(problem.tasks, name)] * D)
        for name in ("support_x", "support_y", "query_x", "query_y")
    )
    theta = phi = np.repeat(thetas, count, axis=0)
    alphas = np.repeat(alphas, count, axis=0) if np.ndim(alphas) else alphas
    weights = weights or [0.0] * num_steps + [1.0]
    total = 0.0
    for k, w in enumerate(weights):
        if k:
            grad = problem.loss.linearize(phi, x, y).grad + lam * (phi - theta)
            phi = phi - alphas * mask * grad
        if w:
            value = problem.loss.linearize(phi, x_q, y_q).value
            total = total + w * value.reshape(D, count).mean(1)
    return total


def slopes_in_theta(problem, lam, alpha, num_steps, **options):
    """Return dF/dθ (P,) by complex steps of ``outer_values``."""
    size = problem.theta.size
    alphas = np.broadcast_to(alpha, (size, size)) if np.ndim(alpha) else alpha
    at = problem.theta + 1e-30j * np.eye(size)
    return outer_values(problem, at, lam, alphas, num_steps, **options).imag / 1e-30


def slopes_in_alpha(problem, lam, alpha, num_steps, **options):
    """Return dF/dα_j (P,) for α (P,), likewise."""
    size = problem.theta.size
    at = np.tile(problem.theta, (size, 1))
    alphas = alpha + 1e-30j * np.eye(size)
    return outer_values(problem, at, lam, alphas, num_steps, **options).imag / 1e-30
