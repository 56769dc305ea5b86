"""The witness of a task loss: it at a point in float64, differentiated by oracles."""

from functools import cached_property
from typing import Any

import numpy

from ..compute import Array
from .oracles import complex_step

STEP = 1e-30


class ModelPoint:
    """A task loss at φ in float64 on the host, with directions of unit length.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        phi: Parameters of each task, (T, P), float64.
        x: Inputs (T, N, ...), float64.
        y: Labels or targets.
        seed: Of the directions.
    """

    def __init__(self, loss: Any, phi: Array, x: Array, y: Array, seed: int):
        self.loss, self.phi, self.x, self.y = loss, phi, x, y
        rng = numpy.random.default_rng(seed)
        self.u, self.v = (unit_rows(rng.normal(size=phi.shape)) for _ in range(2))
        layout = getattr(getattr(loss, "net", None), "layout", None)
        everything = ("phi",), (slice(None),)
        names, slices = (layout.names, layout.slices) if layout else everything
        self.slices = dict(zip(names, slices, strict=True))

    def value(self, phi: Array) -> Array:
        """Return L(φ), (T,), by ``loss.value`` if it has that: a forward sweep."""
        if hasattr(self.loss, "value"):
            return self.loss.value(phi, self.x, self.y)
        return self.loss.linearize(phi, self.x, self.y).value

    def grad(self, phi: Array) -> Array:
        """Return ∇L(φ), (T, P), by the code that is checked elsewhere."""
        return self.loss.linearize(phi, self.x, self.y).grad

    def slopes(self, oracle=complex_step) -> Array:
        """Return ⟨∇L, v_n⟩ for the part of v in each tensor n: (tensors, T)."""
        return numpy.stack([oracle(self.value, self.phi, v) for v in self.parts])

    @property
    def parts(self) -> list[Array]:
        """For each tensor, v with zeros in all the others."""
        parts = [numpy.zeros_like(self.v) for _ in self.slices]
        for part, where in zip(parts, self.slices.values(), strict=True):
            part[:, where] = self.v[:, where]
        return parts

    @cached_property
    def hvp(self) -> Array:
        """H v by the complex step of the gradient, (T, P)."""
        return complex_step(self.grad, self.phi, self.v)

    @cached_property
    def gauss_newton_slopes(self) -> Array:
        """⟨J v_n, H_z J v⟩ for each tensor n: (tensors, T).

        J v is the complex step of the outputs, H_z that of the gradient in the outputs.
        """
        net, loss = self.loss.net, self.loss.loss

        def grad_z(z):
            return loss.grad(loss.forward(z, self.y)[1])

        def outputs(phi):
            return net.logits(phi, self.x)

        z_bar_dot = complex_step(
            grad_z, outputs(self.phi), complex_step(outputs, self.phi, self.v)
        )
        return numpy.stack(
            [
                (complex_step(outputs, self.phi, v) * z_bar_dot).sum((1, 2))
                for v in self.parts
            ]
        )

    def grad_entries(self, where: Array) -> Array:
        """Return the entries of task 0's gradient at positions ``where``.

        One entry is moved in each of as many copies of the task.
        """
        phi, x, y = (
            numpy.repeat(a[:1], len(where), 0) for a in (self.phi, self.x, self.y)
        )
        phi = phi + 0j
        phi[numpy.arange(len(where)), where] += 1j * STEP
        return self.loss.linearize(phi, x, y).value.imag / STEP


def unit_rows(a: Array) -> Array:
    """Scale each row to unit length, in numbers that float32 holds exactly."""
    a = a / numpy.linalg.norm(a, axis=1, keepdims=True)
    return a.astype(numpy.float32).astype(numpy.float64)
