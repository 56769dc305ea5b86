"""The ground of (5) for many parameters: small dense matrices from products with H.

    U        orthonormal, (P, M): of every task the vectors Hʲ u for j = 0, 1, …, with
             u among v, ∇L, φ − θ, and besides θ and the gradients at θ
    H' = Uᵀ H U,   v' = Uᵀ v,   …                                                    (1)

For one λ the answers to (H + μI) x = b, the iterates of CG, Neumann series and sums of
all these lie in U where b does, to the ``residual`` that is measured; so families made
for dense matrices run on (1) as they are.  What asks for single entries (diagonals,
clipping by value, tensors) does not: ``WITHIN`` are the families that may be tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ..case import Array
from .ground import Ground, solve

NEW = 1e-9  # share of a vector that must be new for it to widen the basis
WITHIN = {
    "shifted", "damped", "curvature-times", "strength-times",
    "strength-times-and-damped", "gauss-newton", "rank-one", "rank-one-of-query",
    "v-at-theta", "support-gradient-in-v", "displacement-in-v", "power-of-strength",
    "strength-left-out", "clipped-task-by-task", "normalised-task-by-task",
    "v-clipped", "cg-steps", "cg-steps-from-b", "cg-with-the-old-residual",
    "cg-scaled-step", "steepest-descent-steps", "neumann", "neumann-in-h",
    "neumann-in-h-of-step", "low-rank", "multiplied", "solved-twice", "solve-left-out",
    "tasks-mixed", "tasks-mixed-backwards", "mean-curvature",
    "curvature-of-the-first-task", "curvature-of-the-last-task",
}  # fmt: skip
Product = Callable[[Array], Array]  # (T, P) → (T, P)


@dataclass(frozen=True)
class Basis:
    """An orthonormal basis that all tasks share.

    Args:
        U: (M, P), its vectors.
    """

    U: Array

    def down(self, a: Array) -> Array:
        """Return the coordinates (..., M) of vectors (..., P)."""
        return a @ self.U.T

    def up(self, a: Array) -> Array:
        """Return the vectors (..., P) of coordinates (..., M)."""
        return a @ self.U

    def matrix(self, product: Product, tasks: int) -> Array:
        """Return Uᵀ H U of every task, (T, M, M), by M products."""
        size = self.U.shape
        found = numpy.empty((tasks, size[0], size[0]))
        for j, u in enumerate(self.U):
            found[:, j] = self.down(product(numpy.broadcast_to(u, (tasks, size[1]))))
        return (found + found.swapaxes(1, 2)) / 2


class Widening:
    """A basis that grows by vectors, each made orthogonal to all before, twice.

    Args:
        size: P.
        most: Vectors at most.
    """

    def __init__(self, size: int, most: int):
        self.store = numpy.empty((min(most, size), size))
        self.count = 0

    def add(self, a: Array) -> Array | None:
        """Return the unit vector that a vector adds; None if it adds nothing."""
        before = numpy.linalg.norm(a)
        if self.count == len(self.store) or not before > 0:
            return None
        U = self.store[: self.count]
        for _ in range(2):
            a = a - U.T @ (U @ a)
        after = numpy.linalg.norm(a)
        if not after > NEW * before:
            return None
        self.store[self.count] = a / after
        self.count += 1
        return self.store[self.count - 1]


def basis_of(
    product: Product, starts: Sequence[Array], others: Sequence[Array], depth: int
) -> Basis:
    """Return a basis that holds, of every task, the Krylov space of some vectors.

    Args:
        product: v ↦ H v of all tasks, (T, P) → (T, P).
        starts: Vectors (T, P) to begin from.
        others: Vectors (T, P) that it holds without products.
        depth: Products with H for each start.
    """
    tasks, size = starts[0].shape
    # Each task first has its own: what another's vectors take away, H would not close.
    own = [Widening(size, len(starts) * (depth + 1)) for _ in range(tasks)]
    fronts = [list(rows) for rows in starts]
    for step in range(depth + 1):
        for i, front in enumerate(fronts):
            found = [
                None if a is None else wide.add(a)
                for a, wide in zip(front, own, strict=True)
            ]
            fronts[i] = found
            if step < depth and any(a is not None for a in found):
                zero = numpy.zeros(size)
                rows = product(numpy.stack([zero if a is None else a for a in found]))
                pairs = zip(found, rows, strict=True)
                fronts[i] = [None if a is None else row for a, row in pairs]
    vectors = [u for wide in own for u in wide.store[: wide.count]]
    vectors += [row for rows in others for row in rows]
    whole = Widening(size, len(vectors))
    for u in vectors:
        whole.add(u)
    return Basis(whole.store[: whole.count])


@dataclass(frozen=True)
class Reduced:
    """(5) in a basis.

    Args:
        basis: The basis.
        ground: What families compute with, M in the place of P.
        residual: ‖v − (H + Λ) x‖ of the x that it has, relative, of the worst task.
    """

    basis: Basis
    ground: Ground
    residual: float


def reduced(at: Any, start: tuple[Any, Array], theta: Array, lam: float, depth: int):
    """Return (5) in the Krylov spaces of v, ∇L and φ − θ.

    Args:
        at: L at φ (T, P), linearised, with ``phi`` and the gradient ``v`` of Q.
        start: L and the gradient of Q at θ.
        theta: θ, (P,).
        lam: λ.
        depth: Products with H for each of these vectors.
    """
    lin, phi, v = at.lin, at.phi, at.v
    T, s, (lin_0, v_0) = len(phi), lin.grad, start
    others = (theta[None], v_0, lin_0.grad)
    basis = basis_of(lin.hvp, (v, s, phi - theta), others, depth)
    down, kept = basis.down, {}

    def gauss_newton() -> Array:
        if "G" not in kept:
            kept["G"] = basis.matrix(lin.gnvp, T)
        return kept["G"]

    lazily = {"v at θ": lambda: down(v_0), "∇L at θ": lambda: down(lin_0.grad)}
    ground = Ground(
        down(theta), down(phi), lam * numpy.ones(len(basis.U)),
        basis.matrix(lin.hvp, T), down(v), down(s), {}, (),
        lazily | {"G": gauss_newton},
    )  # fmt: skip
    x = basis.up(solve(ground.A, ground.v))
    left = numpy.linalg.norm(v - lin.hvp(x) - lam * x, axis=1)
    share = float((left / numpy.linalg.norm(v, axis=1)).max())
    return Reduced(basis, ground, share)
