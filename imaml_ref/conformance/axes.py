"""Matrices of every task, by complex steps along all axes at once."""

from collections.abc import Callable
from dataclasses import replace

import numpy

from ..checks import complex_step
from .case import Array, Case


def times(H: Array, v: Array) -> Array:
    """Return H v (T, P) of matrices (T, P, P)."""
    return (H @ v[..., None])[..., 0]


def copies(case: Case, count: int) -> Case:
    """Return a case with every task that many times, one after the other."""
    names = ("support_x", "support_y", "query_x", "query_y")
    many = {name: numpy.repeat(case.inputs[name], count, 0) for name in names}
    return replace(case, inputs={**case.inputs, **many})


def along_axes(f: Callable[[Case, Array], Array], case: Case, phi: Array) -> Array:
    """Return the Jacobian (T, P, P) of f(case, φ), by complex steps along all axes."""
    T, P = phi.shape
    many, start = copies(case, P), numpy.repeat(phi, P, 0)
    columns = complex_step(
        lambda p: f(many, p), start, numpy.tile(numpy.eye(P), (T, 1))
    )
    return columns.reshape(T, P, -1).swapaxes(1, 2)
