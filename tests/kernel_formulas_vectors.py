"""Formulas of the kernels on vectors (T, P): a step of descent, and of CG.

A sum over P leaves a kernel in parts: part j of a task is the sum over entries jn to
(j + 1)n − 1, with n = ⌈P / parts⌉.
"""

import numpy as np
from kernel_views import shaped

from imaml_ref.solvers import Status

RUNNING = int(Status.MAXITER)
# By conduct: continue, truncate, refuse.
ENDINGS = (Status.BREAKDOWN, Status.TRUNCATED, Status.NEGATIVE_CURVATURE)


def vectors(o, *names):
    return (shaped(getattr(o, n), o.tasks, o.size) for n in names)


def strength(o, name):
    """Return a number for all parameters, or one for each: (1,) or (P,)."""
    step, a = getattr(o, f"{name}_step"), getattr(o, name)
    assert step in (0, 1)
    return a[: o.size] if step else a[0]


def write_parts(o, *products):
    """Write the sums over P of arrays (T, P), in parts: (T, S, parts)."""
    partials = shaped(o.partials, o.tasks, len(products), o.parts)
    piece = -(-o.size // o.parts)
    for s, product in enumerate(products):
        for j in range(o.parts):
            partials[:, s, j] = product[:, j * piece : (j + 1) * piece].sum(-1)


def sums(o):
    """Return the two sums of which there are parts, each (T,)."""
    return shaped(o.partials, o.tasks, 2, o.parts).sum(-1).T


def descend(o):
    phi, grad = vectors(o, "phi", "grad")
    assert o.theta_task in (0, o.size)
    theta = shaped(o.theta, o.tasks, o.size) if o.theta_task else o.theta
    grad_G = grad + strength(o, "lam") * (phi - theta)
    write_parts(o, grad_G * grad_G)
    phi -= o.step_size[0] * grad_G


# Equations of recurrence, for A p = H p + s p and M a diagonal.


def cg_begin(o):
    b, x, r, p = vectors(o, "b", "x", "r", "p")
    x[...], r[...], p[...] = 0, b, 0
    write_parts(o, r * (strength(o, "M") * r), r * r)  # (1)


def cg_start(o):
    rho, squared = sums(o)
    o.rho[...], o.residual[...] = rho, np.sqrt(squared)
    o.tolerance[...] = np.maximum(o.rtol * o.residual, o.atol)
    o.iterations[...] = 0
    o.status[...] = judge_residual(o, o.rho, o.residual)


def judge_residual(o, rho, residual):
    status = np.where(rho > 0, RUNNING, Status.INDEFINITE_PRECONDITIONER)
    status = np.where(np.isfinite(rho), status, Status.NOT_FINITE)
    status = np.where(residual <= o.tolerance, Status.CONVERGED, status)
    return np.where(np.isfinite(residual), status, Status.NOT_FINITE)


def cg_curvature(o):
    Hp, p = vectors(o, "Hp", "p")
    q = Hp + strength(o, "shift") * p  # (2)
    write_parts(o, p * q, p * p)


def cg_length(o):
    c, squared_p = sums(o)
    active = o.status == RUNNING
    # α = ρ/c would overflow, or does not exist.
    bad = np.abs(c) <= np.finfo(c.dtype).tiny * np.abs(o.rho)
    if o.conduct:
        bad |= c <= 0
    judged = np.where(bad, ENDINGS[o.conduct], RUNNING)
    judged = np.where(np.isfinite(c), judged, Status.NOT_FINITE)
    o.status[...] = np.where(active, judged, o.status)
    runs = o.status == RUNNING
    # A task truncated at its first direction takes it at unit length: x₀ + M r₀.
    first = active & (o.status == Status.TRUNCATED) & (o.iterations == 0)
    o.alpha[...] = np.where(first, 1, np.where(runs, o.rho, 0) / np.where(runs, c, 1))
    o.moves[...] = runs | first
    o.iterations += o.moves
    o.record[:4] = active, c, squared_p, o.rho  # (3)


def cg_move(o):
    Hp, p, x, r = vectors(o, "Hp", "p", "x", "r")
    alpha = o.alpha[:, None]
    x += alpha * p  # (4)
    r -= alpha * (Hp + strength(o, "shift") * p)  # (5)
    write_parts(o, r * (strength(o, "M") * r), r * r)


def cg_judge(o):
    rho, squared = sums(o)
    residual = np.sqrt(squared)
    o.residual[...] = np.where(o.moves != 0, residual, o.residual)
    judged = judge_residual(o, rho, residual)
    o.status[...] = np.where(o.status == RUNNING, judged, o.status)
    runs = o.status == RUNNING
    o.beta[...] = np.where(runs, rho, 0) / np.where(runs, o.rho, 1)  # (6)
    o.rho[...] = rho
    o.record[4] = o.beta


def cg_direction(o):
    r, p = vectors(o, "r", "p")
    runs = o.status[:, None] == RUNNING
    p[...] = np.where(runs, strength(o, "M") * r + o.beta[:, None] * p, 0)  # (7)


FORMULAS = (
    descend,
    cg_begin,
    cg_start,
    cg_curvature,
    cg_length,
    cg_move,
    cg_judge,
    cg_direction,
)
