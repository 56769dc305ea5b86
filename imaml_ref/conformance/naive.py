"""A second forward pass, by loops over pixels, in extended precision: a witness.

It shares no line with ``layers`` (see ``naive_layers``).  From values alone come

    gradient    by complex steps, exact to rounding
    H v         by Richardson's extrapolation of differences of that gradient:
                D(h) = (∇L(φ + hv) − ∇L(φ − hv)) / 2h,   H v ≈ (4 D(h/2) − D(h)) / 3
    G v         Jᵀ H_z J v with J by complex steps of the outputs

in ``longdouble`` (64 bits of mantissa on x86: h = 2⁻¹³ leaves errors about 1e-15).
"""

from collections.abc import Callable

import numpy

from .case import Array
from .naive_layers import REAL, outputs

COMPLEX = numpy.clongdouble
TINY, STEP = REAL(2) ** -300, REAL(2) ** -13


def cross_entropy(z, y):
    """Return the mean of log Σ exp z − z_y, (C,)."""
    of_class = numpy.take_along_axis(z, y[None, :, None], 2)[..., 0]
    return (numpy.log(numpy.exp(z).sum(-1)) - of_class).sum(1) / z.shape[1]


def squared_error(z, y):
    """Return the mean over examples of ½‖z − y‖², (C,)."""
    return ((z - y[None]) ** 2).sum((1, 2)) / (2 * z.shape[1])


VALUES = {"cross-entropy": cross_entropy, "squared-error": squared_error}


class Naive:
    """L of one task of a case, from values alone.

    Args:
        case: The case.
        task: Which of its tasks.
    """

    def __init__(self, case, task: int):
        self.case = case
        self.kept: dict[str, Array] | None = None
        self.x, self.y = (case.inputs[f"support_{k}"][task] for k in ("x", "y"))

    def z(self, phi: Array) -> Array:
        """Return the outputs (C, N, D) at points φ (C, P)."""
        return outputs(self.case.network, self.case.unpack(phi), self.x, self.kept)

    def value(self, phi: Array) -> Array:
        """Return L (C,) at points φ (C, P)."""
        return VALUES[self.case.loss](self.z(phi), self.y)

    def grad(self, phi: Array) -> Array:
        """Return ∇L (P,) at a φ (P,)."""
        return self.value(around(phi)).imag / TINY

    def hvp(self, phi: Array, v: Array) -> Array:
        """Return H v (P,), kinked layers as they are at φ."""
        self.kept = {}
        self.z(phi[None])

        def difference(h):
            return (self.grad(phi + h * v) - self.grad(phi - h * v)) / (2 * h)

        return (4 * difference(STEP / 2) - difference(STEP)) / 3

    def gnvp(self, phi: Array, v: Array) -> Array:
        """Return G v (P,)."""
        z = self.z(around(phi))
        J = z.imag.reshape(len(phi), -1) / TINY
        z_dot = (v.astype(REAL) @ J).reshape(z.shape[1:])
        return J @ self.bent(z[0].real, z_dot).ravel()

    def bent(self, z: Array, z_dot: Array) -> Array:
        """Return H_z ż of the loss, (N, D)."""
        if self.case.loss == "squared-error":
            return z_dot / len(z)
        p = numpy.exp(z) / numpy.exp(z).sum(-1, keepdims=True)
        return (p * z_dot - p * (p * z_dot).sum(-1, keepdims=True)) / len(z)


class ByLoops:
    """L1 and L2 by ``Naive``, task by task, rounded at the end."""

    def loss(self, case) -> Array:
        """Return L (T,)."""
        return self.each(case, lambda naive, phi, v: naive.value(phi[None])[0])

    def grad(self, case) -> Array:
        """Return ∇L (T, P)."""
        return self.each(case, lambda naive, phi, v: naive.grad(phi))

    def hvp(self, case) -> Array:
        """Return H v (T, P)."""
        return self.each(case, Naive.hvp)

    def gnvp(self, case) -> Array:
        """Return G v (T, P)."""
        return self.each(case, Naive.gnvp)

    def each(self, case, f: Callable[["Naive", Array, Array], Array]) -> Array:
        """Return f(L, φ, v) of every task."""
        tasks = range(case.num_tasks)
        found = [f(Naive(case, t), case.phi[t], case.v[t]) for t in tasks]
        return numpy.stack(found).astype(float)


def around(phi: Array) -> Array:
    """Return φ + i h e_j for every j, (P, P)."""
    return phi.astype(COMPLEX) + 1j * TINY * numpy.eye(len(phi), dtype=REAL)
