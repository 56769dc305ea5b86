"""A loss of given examples: what it can be asked for, and how the layers answer.

Which way computes, ``TaskLoss.on`` decides: the layers, the sweeps of ``fused``, or
those of ``kernels``.  Whoever has examples asks all of them for the same, and need not
know which.
"""

from abc import abstractmethod
from functools import cached_property
from typing import Any

import numpy

from ..arguments import having
from ..compute import Array
from ..optimizers import SGD, follow
from ..solvers import Factor
from .linearization import Linearization


class Examples:
    """L of given examples at any φ, by the layers.

    Args:
        task_loss: A ``TaskLoss``.
        x: Inputs (T, N, ...).
        y: Labels (T, N), or targets (T, N, D).
    """

    def __init__(self, task_loss: Any, x: Array, y: Array):
        self.task_loss, self.x, self.y = task_loss, x, y

    def linearize(self, phi: Array) -> Linearization:
        """Return L, its gradient and its curvature at φ (T, P)."""
        return Linearization(self.task_loss, phi, self.x, self.y)

    def gradient(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        return self.linearize(phi).grad

    def value(self, phi: Array) -> Array:
        """Return L (T,) alone, for one forward sweep."""
        z = self.task_loss.net.logits(phi, self.x)
        return self.task_loss.loss.forward(z, self.y)[0]

    def descend(
        self, phi: Array, theta: Array, lam, step_size: float, num_steps: int
    ) -> tuple[Array, list[Array]]:
        """Return φ after K steps of −α (∇L + Λ (φ − θ)), and the norms of the latter.

        Args:
            phi: Where to start, (T, P).
            theta: θ, (P,), or one for each task, (T, P).
            lam: λ, a number or (P,).
            step_size: α.
            num_steps: K.
        """

        def gradient(phi: Array) -> Array:
            return self.gradient(phi) + lam * (phi - theta)

        return follow(gradient, phi, [SGD(step_size)] * num_steps)

    def solve(self, at: Any, solver: Any, curvature: str, v: Array, shift: Any) -> Any:
        """Return x of (H + s) x = v, or with G, and what the solver says of it.

        Args:
            at: What ``linearize`` returned at some φ.
            solver: Has ``solve(matvec, b, M)``, which is given ``factor=`` as well,
                that of G, if the solver's ``takes_factor`` is true.
            curvature: "hvp" for H, "gnvp" for G.
            v: (T, P).
            shift: s > 0, a number or (P,); the preconditioner is 1/s.
        """
        product, more = getattr(at, curvature), {}
        if getattr(solver, "takes_factor", False):
            having("factor", "a TaskLoss's")("the linearisation", at)
            more["factor"] = at.factor()
        return solver.solve(lambda p: product(p) + shift * p, v, M=1 / shift, **more)


class SweptLinearization(Linearization):
    """A ``Linearization`` on the arrays of sweeps, which hold one point at a time.

    If another has been there since, a product first goes back to its own.

    Args:
        examples: L, with ``fits``: whether the sweeps take φ or v.
        phi: (T, P).
    """

    def __init__(self, examples: Any, phi: Array):
        self.examples, self.phi = examples, phi
        # Not self: the sweeps would keep what keeps them.
        self._token = object()
        self.task_loss, self.x, self.y = examples.task_loss, examples.x, examples.y

    def hvp(self, v: Array) -> Array:
        """Return H v, (T, P), for v (T, P)."""
        return self._product("hvp", v)

    def gnvp(self, v: Array) -> Array:
        """Return G v, (T, P), for v (T, P)."""
        return self._product("gnvp", v)

    def factor(self) -> Factor:
        """Return R of G = RᵀR, by the layers."""
        return self._plain.factor()

    @abstractmethod
    def swept(self, curvature: str, v: Array) -> Array:
        """Return H v or G v by the sweeps."""

    def _product(self, curvature: str, v: Array) -> Array:
        """Return it by the sweeps, or by the layers where v does not fit."""
        if self.examples.fits(v):
            return self.swept(curvature, v)
        return getattr(self._plain, curvature)(v)

    @cached_property
    def _plain(self) -> Linearization:
        """The same on the plain path, for v of another dtype or shape."""
        return Linearization(self.task_loss, self.phi, self.x, self.y)


def is_diagonal(lam: Any, size: int) -> bool:
    """Whether λ, or s, is a real number or (P,): no other is known to the sweeps."""
    return numpy.isrealobj(lam) and getattr(lam, "shape", ()) in ((), (size,))
