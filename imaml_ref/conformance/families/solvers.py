"""Families of the linear solve A x = b, A = H + Λ where it is that of (5).

At L3 the ground has Λ = I and H = A − I: what is computed from A and v is the same.
"""

from collections.abc import Callable

import numpy

from ..case import Array
from ..mutants.solvers import orthogonal
from .family import META, SOLVE, Real, of_rows
from .ground import Ground, solve, times

MOST = 40  # steps
Solver = Callable[[Array, Array], list[Array]]


class Step(Real):
    """η of a series: near 2/‖A‖ the least change tells, so its grid is fine."""

    def grid(self, count: int) -> Array:
        """Return values to begin from."""
        return super().grid(4 * count)


def each_task(ground: Ground, solver: Solver) -> list[Array]:
    """Return Λ x after 1, 2, … steps, for all tasks side by side.

    A solver that ends early keeps its last iterate.
    """
    paths = [solver(A, b) for A, b in zip(ground.A, ground.v, strict=True)]
    longest = max(map(len, paths))
    found = []
    for k in range(longest):
        rows = [path[min(k, len(path) - 1)] for path in paths]
        found.append(ground.lam * numpy.stack(rows))
    return found


def gradients(A: Array, b: Array, x: Array, most: int = MOST) -> list[Array]:
    """Return the iterates of CG from x, residuals kept orthogonal to rounding."""
    r = b - A @ x
    p, found, before = r, [], []
    scale = numpy.linalg.norm(b) or 1.0
    for _ in range(min(most, 2 * len(b))):
        size = numpy.linalg.norm(r)
        if not size > 1e-14 * scale:
            break
        bent = A @ p
        curved = p @ bent
        if not curved:
            break
        alpha = (r @ r) / curved
        before.append(r / size)
        x, after = x + alpha * p, r - alpha * bent
        after = orthogonal(after, numpy.array(before))
        found.append(x)
        if len(before) == len(b):
            break
        p, r = after + (after @ after) / (r @ r) * p, after
    return found or [x]


@of_rows("solver", SOLVE, "k")
def cg_steps(ground):
    """CG is stopped after {k} steps, from x = 0."""
    return each_task(ground, lambda A, b: gradients(A, b, 0 * b))


@of_rows("solver", SOLVE, "k")
def cg_steps_from_b(ground):
    """CG is stopped after {k} steps, from x = b."""
    return each_task(ground, lambda A, b: gradients(A, b, b))


@of_rows("solver", META, "k")
def cg_steps_from_the_task_before(ground):
    """CG is stopped after {k} steps, each task from the x of the one before."""
    found = []
    for k in range(1, min(MOST, ground.theta.size) + 1):
        x, rows = numpy.zeros(ground.theta.size), []
        for A, b in zip(ground.A, ground.v, strict=True):
            x = gradients(A, b, x, k)[-1]
            rows.append(x)
        found.append(ground.lam * numpy.stack(rows))
    return found


@of_rows("solver", SOLVE, "k")
def cg_with_the_old_residual(ground):
    """CG's directions take the residual from before the step; {k} steps."""
    return each_task(ground, lambda A, b: recurrence(A, b, lambda r, after: r))


@of_rows("solver", SOLVE, "k", scale=Real(1e-3, 1e3, "1"))
def cg_scaled_step(ground, scale):
    """CG scales A by {scale} in its step length only; {k} steps."""
    return each_task(
        ground, lambda A, b: recurrence(A, b, lambda r, after: after, scale)
    )


def recurrence(A: Array, b: Array, direction, scale: float = 1.0) -> list[Array]:
    """Return the iterates of CG as a library writes it, wrong in one place."""
    x, r, p, found = 0 * b, b, b, []
    for _ in range(min(MOST, len(b))):
        bent = A @ p
        curved = p @ (scale * bent)
        if not curved or not numpy.isfinite(curved):
            break
        alpha = (r @ r) / curved
        x, after = x + alpha * p, r - alpha * bent
        found.append(x)
        if not r @ r:
            break
        p, r = direction(r, after) + (after @ after) / (r @ r) * p, after
    return found or [x]


@of_rows("solver", SOLVE, "k")
def steepest_descent_steps(ground):
    """Steepest descent gives x in {k} steps, its directions the residuals."""

    def steps(A, b):
        x, found = 0 * b, []
        for _ in range(MOST):
            r = b - A @ x
            if not numpy.linalg.norm(r) > 1e-15 * numpy.linalg.norm(b):
                break
            x = x + (r @ r) / (r @ A @ r) * r
            found.append(x)
        return found or [x]

    return each_task(ground, steps)


@of_rows("solver", SOLVE, "k", eta=Step(1e-4, 4.0))
def neumann(ground, eta):
    """A Neumann series, x = η Σ (I − ηA)ʲ b, has {k} terms of step η = {eta}."""
    return geometric(ground, ground.A, eta)


def geometric(ground: Ground, A: Array, eta: float) -> list[Array]:
    """Return Λ η Σ (I − ηA)ʲ v of 1, 2, … terms."""
    term, x, found = ground.v, 0 * ground.v, []
    for _ in range(MOST):
        x, term = x + term, term - eta * times(A, term)
        if not numpy.isfinite(x).all():
            break
        found.append(ground.lam * eta * x)
    return found


@of_rows("solver", META, "k")
def neumann_in_h(ground):
    """(I + H/λ)⁻¹ is a Neumann series in −H/λ of {k} terms."""
    term, g, found = ground.v, 0 * ground.v, []
    for _ in range(MOST):
        g = g + term
        if not numpy.isfinite(g).all():
            break
        found.append(g)
        term = -times(ground.H, term / ground.lam)
    return found


@of_rows("solver", META, "k", eta=Step(1e-4, 4.0))
def neumann_in_h_of_step(ground, eta):
    """(H + Λ)⁻¹ is a Neumann series η Σ (I − ηH)ʲ v without λ: {k} terms, η = {eta}."""
    return geometric(ground, ground.H, eta)


@of_rows("solver", SOLVE, "k")
def low_rank(ground):
    """A⁻¹ keeps the {k} largest eigenvalues of H; on the rest it is 1/λ."""
    found = []
    w, U = numpy.linalg.eigh((ground.H + ground.H.swapaxes(1, 2)) / 2)
    order = numpy.argsort(-w, 1)
    w = numpy.take_along_axis(w, order, 1)
    U = numpy.take_along_axis(U, order[:, None], 2)
    for k in range(1, min(MOST, w.shape[1])):
        kept = numpy.where(numpy.arange(w.shape[1]) < k, w, 0)
        H = (U * kept[:, None]) @ U.swapaxes(1, 2)
        found.append(ground.lam * solve(H + numpy.diag(ground.lam), ground.v))
    return found or None


@of_rows("solver", SOLVE)
def diagonal_solve(ground):
    """Only the diagonal of A is divided by."""
    return ground.lam * ground.v / numpy.einsum("tii->ti", ground.A)


@of_rows("solver", SOLVE)
def multiplied(ground):
    """A is multiplied with, not solved for."""
    return ground.lam * (ground.A @ ground.v[..., None])[..., 0]


@of_rows("solver", SOLVE)
def solved_twice(ground):
    """A is solved for twice: A⁻² b."""
    return ground.lam * solve(ground.A, solve(ground.A, ground.v))


@of_rows("solver", SOLVE)
def solve_left_out(ground):
    """The solve is left out: x is a multiple of b."""
    return ground.lam * ground.v
