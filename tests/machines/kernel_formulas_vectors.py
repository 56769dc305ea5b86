"""Formulas of the kernels on vectors (T, P): a step of descent, and of CG.

What a kernel keeps in ``partials`` between its launches is its own affair.
"""

import numpy as np

from imaml_ref.solvers import Status
from imaml_ref.solvers.recurrence import size_of_direction, vanished
from tests.machines.kernel_views import entries, shaped

RUNNING = int(Status.MAXITER)
# By conduct: continue, truncate, refuse.
ENDINGS = (Status.BREAKDOWN, Status.TRUNCATED, Status.NEGATIVE_CURVATURE)


def vectors(o, *names):
    return (shaped(getattr(o, n), o.tasks, o.size) for n in names)


def strength(o, name):
    """Return a number for all parameters, or one for each: (1,) or (P,)."""
    step, a = getattr(o, f"{name}_step"), getattr(o, name)
    assert step in (0, 1)
    assert a.shape == (o.size if step else 1,), "a kernel would read beyond its end"
    return a[: o.size] if step else a[0]


def dot(a, b):
    return (a * b).sum(-1)


def descend(o):
    phi, grad = vectors(o, "phi", "grad")
    assert o.theta_task in (0, o.size)
    # As the kernel reads it: one row for all, or one for each.
    assert o.theta.size == o.size * (o.tasks if o.theta_task else 1)
    theta = entries(o.theta, (o.tasks, o.size), (o.theta_task, 1))
    grad_G = grad + strength(o, "lam") * (phi - theta)
    o.squares[...] = dot(grad_G, grad_G)
    phi -= o.step_size[0] * grad_G


# Equations of recurrence, for A p = H p + s p and M a diagonal.


def measured(o, r):
    """Return ρ and ‖r‖, each (T,)."""
    return dot(r, strength(o, "M") * r), np.sqrt(dot(r, r))


def cg_begin(o):
    b, x, r, p = vectors(o, "b", "x", "r", "p")
    x[...], r[...], p[...] = 0, b, 0
    o.rho[...], o.residual[...] = measured(o, r)  # (1)
    o.tolerance[...] = np.maximum(o.rtol * o.residual, o.atol)
    o.sigma[...] = size_of_direction(o.rho, o.residual)
    o.iterations[...] = 0
    o.status[...] = judge_residual(o, o.rho, o.residual)


def judge_residual(o, rho, residual):
    status = np.where(rho > 0, RUNNING, Status.INDEFINITE_PRECONDITIONER)
    status = np.where(np.isfinite(rho), status, Status.NOT_FINITE)
    least = np.maximum(o.tolerance, vanished(residual.dtype))
    status = np.where(residual <= least, Status.CONVERGED, status)
    return np.where(np.isfinite(residual), status, Status.NOT_FINITE)


def cg_length(o):
    Hp, p = vectors(o, "Hp", "p")
    q = Hp + strength(o, "shift") * p  # (2)
    c, active = dot(p, q), o.status == RUNNING
    rho = o.rho / o.sigma
    status = np.where(active, judge_curvature(o, c, rho), o.status)
    runs = status == RUNNING
    # A task truncated at its first direction takes it at unit length: x₀ + M r₀.
    first = active & (status == Status.TRUNCATED) & (o.iterations == 0)
    alpha = np.where(runs, rho, 0) / np.where(runs, c, 1)  # (8)
    o.alpha[...] = np.where(first, o.unit_M[0] * o.sigma, alpha)
    o.moves[...] = runs | first
    o.iterations += o.moves
    o.status[...] = status
    o.record[:4] = active, c, dot(p, p), rho / o.sigma  # (3)
    o.record[5] = o.sigma


def judge_curvature(o, c, rho):
    kind = np.finfo(c.dtype)
    # α = ρ/c would overflow, or does not exist.
    bad = np.abs(c) <= kind.tiny * np.abs(rho)
    if o.conduct:
        bad |= c <= 0
    # α would lose digits to the end of the range.
    short = np.abs(rho) <= kind.tiny * kind.eps**0.5 * np.abs(c)
    solved = o.residual <= o.size * kind.eps
    status = np.where(solved, Status.CONVERGED, Status.STAGNATION)
    status = np.where(short, status, RUNNING)
    status = np.where(bad, ENDINGS[o.conduct], status)
    return np.where(np.isfinite(c), status, Status.NOT_FINITE)


def cg_move(o):
    Hp, p, x, r = vectors(o, "Hp", "p", "x", "r")
    alpha = o.alpha[:, None]
    x += alpha * p  # (4)
    r -= alpha * (Hp + strength(o, "shift") * p)  # (5)
    rho, residual = measured(o, r)
    o.residual[...] = np.where(o.moves != 0, residual, o.residual)
    judged = judge_residual(o, rho, residual)
    o.status[...] = np.where(o.status == RUNNING, judged, o.status)
    runs = o.status == RUNNING
    o.record[4] = np.where(runs, rho, 0) / np.where(runs, o.rho, 1)  # (6)
    o.rho[...], longer = rho, o.sigma.copy()
    o.sigma[...] = size_of_direction(rho, residual)
    o.beta[...] = o.record[4] * (longer / o.sigma)


def cg_direction(o):
    r, p = vectors(o, "r", "p")
    runs = o.status[:, None] == RUNNING
    z = strength(o, "M") * r / o.sigma[:, None]
    p[...] = np.where(runs, z + o.beta[:, None] * p, 0)  # (7)


FORMULAS = (descend, cg_begin, cg_length, cg_move, cg_direction)
