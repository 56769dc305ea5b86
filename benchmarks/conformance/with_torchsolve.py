"""torchsolve: ``conjugate_gradient`` at L3, its regularizer as λ at L4 and L5.

At L4 and L5 the products with H are ours, by forward over reverse; that the answer is
differentiable in its right-hand side is not asked.
"""

import torch
from torchsolve import Regularizer, conjugate_gradient

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem, flat_of

PACKAGES = ("torchsolve", "torch")


def solve_by(settings):
    """Return a function (A, b) → x."""

    def solve(A, b):
        return conjugate_gradient(lambda p: A @ p, b, **settings(len(b))).solution

    return solve


def gradient_by(settings):
    """Return a function of a task: λ (H + λI)⁻¹ v."""

    def meta_grad(task):
        if isinstance(task.lam, dict):
            raise NotImplementedError("its regularizers are numbers or operators")
        problem = Problem(task)
        phi = problem.solution()
        v = flat_of(torch.autograd.grad(problem.outer(phi), phi))
        split, at = problem.splitter(phi), flat_of(phi)
        slope = torch.func.grad(lambda p: problem.loss(split(p), task.support))
        found = conjugate_gradient(
            lambda p: torch.func.jvp(slope, (at,), (p,))[1],
            v,
            regularizers=[Regularizer(task.lam)],
            **settings(len(v)),
        )
        return task.lam * found.solution

    return meta_grad


def variant(name, text, settings):
    """Return a variant with arguments of its solver."""

    def make():
        hooks = {"solve": solve_by(settings), "meta_grad": gradient_by(settings)}
        return Only(from_torch(**hooks), ("solve", "meta_grad"), name)

    return Variant(text, make)


VARIANTS = {
    "tight": variant(
        "torchsolve",
        "conjugate_gradient(max_iter=10 n, rtol=1e-15, regularizers=[Regularizer(λ)])",
        lambda n: {"max_iter": 10 * n, "rtol": 1e-15},
    ),
    "shipped": variant(
        "torchsolve, as shipped",
        "conjugate_gradient(regularizers=[Regularizer(λ)]): max_iter=10",
        lambda n: {},
    ),
}
