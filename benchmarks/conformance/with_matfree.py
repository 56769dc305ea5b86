"""matfree: its LSMR at L3; without damping it solves A x = b."""

from jax import numpy as jnp
from matfree.lstsq import lsmr

from imaml_ref.conformance.from_jax import from_jax

from .subjects import Only, Variant

PACKAGES = ("matfree", "jax", "jaxlib")


def solve_by(**settings):
    """Return a function (A, b) → x; A is symmetric: vᵀA is A v."""
    solver = lsmr(**settings)

    def solve(A, b):
        return solver(lambda v: jnp.dot(A, v), b)[0]

    return solve


def variant(name, text, **settings):
    """Return a variant with arguments of LSMR."""

    def make():
        return Only(from_jax(solve=solve_by(**settings)), ("solve",), name)

    return Variant(text, make)


VARIANTS = {
    "tight": variant(
        "matfree lsmr",
        "lsmr(atol=1e-15, btol=1e-15, ctol=0, maxiter=10000)",
        atol=1e-15,
        btol=1e-15,
        ctol=0.0,
        maxiter=10_000,
    ),
    "shipped": variant("matfree lsmr, as shipped", "lsmr(): atol=btol=1e-6, ctol=1e-8"),
}
