"""congrad: its batched conjugate gradients for PyTorch at L3."""

from congrad.torch import cg_batch

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant

PACKAGES = ("congrad", "torch")


def solve_by(**settings):
    """Return a function (A, b) → x."""

    def solve(A, b):
        x, _ = cg_batch(lambda p: A @ p, b[:, None], **settings)
        return x[:, 0]

    return solve


def variant(name, settings, **options):
    """Return a variant with arguments of its solver."""
    return Variant(
        settings, lambda: Only(from_torch(solve=solve_by(**options)), ("solve",), name)
    )


VARIANTS = {
    "tight": variant("congrad", "cg_batch(rtol=1e-15)", rtol=1e-15),
    "shipped": variant("congrad, as shipped", "cg_batch(A, b): rtol=1e-3"),
}
