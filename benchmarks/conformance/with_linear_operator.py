"""linear_operator: ``solve`` and its CG and MINRES at L3."""

import contextlib

import linear_operator
import torch
from linear_operator import settings
from linear_operator.utils.linear_cg import linear_cg
from linear_operator.utils.minres import minres

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant

PACKAGES = ("linear_operator", "torch")


def solve_under(*contexts):
    """Return a function (A, b) → x: ``solve`` under some of its settings."""

    def solve(A, b):
        with contextlib.ExitStack() as stack:
            for context in contexts:
                stack.enter_context(context())
            return linear_operator.to_linear_operator(A).solve(b)

    return solve


def by_cg(A, b):
    """Solve by ``linear_cg`` with every tolerance it has."""
    options = {"tolerance": 1e-14, "eps": 1e-30, "stop_updating_after": 1e-14}
    return linear_cg(A.matmul, b, max_iter=1000, max_tridiag_iter=1, **options)


def by_minres(A, b):
    """Solve by ``minres`` with as tight a tolerance as it takes."""
    with settings.minres_tolerance(1e-14):
        return minres(A.matmul, b, max_iter=1000, eps=1e-30)


def padded(A, b):
    """Solve by ``minres`` with A and the identity side by side, b and zeros: a control.

    Its Krylov spaces are those of A; the number of steps that it allows, n + 3, is not.
    """
    size = 7 * len(b)
    eye = torch.eye(size, dtype=A.dtype)
    return by_minres(torch.block_diag(A, eye), torch.cat([b, b.new_zeros(size)]))[
        : len(b)
    ]


def without_cholesky():
    """Let ``solve`` take CG for a matrix of any size."""
    return settings.max_cholesky_size(1)


def variant(name, text, solve):
    """Return a variant with a solver."""
    return Variant(text, lambda: Only(from_torch(solve=solve), ("solve",), name))


VARIANTS = {
    "tight": variant(
        "linear_operator linear_cg",
        "linear_cg(max_iter=1000, max_tridiag_iter=1, tolerance=1e-14, eps=1e-30, "
        "stop_updating_after=1e-14)",
        by_cg,
    ),
    "shipped": variant(
        "linear_operator solve",
        "to_linear_operator(A).solve(b): Cholesky below 800",
        solve_under(),
    ),
    "cg": variant(
        "linear_operator solve by CG",
        "solve(b), max_cholesky_size(1): cg_tolerance 1",
        solve_under(without_cholesky),
    ),
    "cg-tight": variant(
        "linear_operator solve by CG, cg_tolerance(1e-14)",
        "solve(b), max_cholesky_size(1), cg_tolerance(1e-14)",
        solve_under(without_cholesky, lambda: settings.cg_tolerance(1e-14)),
    ),
    "minres": variant(
        "linear_operator minres",
        "minres(max_iter=1000, eps=1e-30), minres_tolerance(1e-14)",
        by_minres,
    ),
    "minres-control": variant(
        "linear_operator minres, control",
        "as minres, A with the identity of 7 n beside it, b with zeros",
        padded,
    ),
}
