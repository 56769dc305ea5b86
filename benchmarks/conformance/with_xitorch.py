"""xitorch: ``linalg.solve`` at L3, ``optimize.minimize`` at L4 and L5.

At L4 the minimiser returns the φ given; at L5 it is broyden1 from θ on ∇G.
"""

import torch
import xitorch
from xitorch.linalg import solve as xitorch_solve
from xitorch.optimize import minimize

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem, flat_of

PACKAGES = ("xitorch", "torch")
METHODS = ("solve", "meta_grad", "lam_grad", "inner")


def solve_by(options):
    """Return a function (A, b) → x."""

    def solve(A, b):
        operator = xitorch.LinearOperator.m(A, is_hermitian=True)
        return xitorch_solve(operator, b[:, None], **options)[:, 0]

    return solve


class Solved:
    """The inner problem of a task on flat vectors, θ and λ leaves.

    Args:
        task: The task.
        backward: Options of the solve in the backward pass.
        forward: Options of ``minimize`` where φ is not given.
    """

    def __init__(self, task, backward, forward):
        self.problem, self.backward, self.forward = Problem(task), backward, forward
        self.split = self.problem.splitter(self.problem.theta)
        self.theta = flat_of(self.problem.theta).requires_grad_()
        lams = zip(self.problem.lam, self.problem.theta, strict=True)
        self.lam = torch.cat([(lam + 0 * t.detach()).ravel() for lam, t in lams])
        self.lam.requires_grad_()

    def inner(self, phi, theta, lam):
        """Return G(φ, θ) for a λ."""
        support = self.problem.task.support
        loss = self.problem.loss(self.split(phi), support)
        return loss + (lam * (phi - theta) ** 2).sum() / 2

    def solution(self):
        """Return φ, differentiable in θ and λ."""
        options = dict(self.forward)
        if self.problem.task.phi is not None:
            given = flat_of(self.problem.given)
            options = {"method": lambda f, y0, params, **rest: given}

        # Not a method: xitorch takes those of its own modules alone.
        def inner(phi, theta, lam):
            return self.inner(phi, theta, lam)

        params, start = (self.theta, self.lam), self.theta.detach()
        return minimize(
            inner, start, params=params, bck_options=self.backward, **options
        )

    def gradient(self, of):
        """Return dQ/dθ or dQ/dλ, flat."""
        outer = self.problem.outer(self.split(self.solution()))
        return torch.autograd.grad(outer, of)[0]


def hooks(backward, forward):
    """Return the functions of a task."""

    def meta_grad(task):
        at = Solved(task, backward, forward)
        return at.gradient(at.theta)

    def lam_grad(task):
        at = Solved(task, backward, forward)
        found = at.gradient(at.lam)
        if not isinstance(task.lam, dict):
            return found.sum()
        return dict(zip(at.problem.names, at.split(found), strict=True))

    def inner(task):
        return Solved(task, backward, forward).solution().detach()

    return {"meta_grad": meta_grad, "lam_grad": lam_grad, "inner": inner}


def variant(name, text, options, forward, methods=METHODS):
    """Return a variant with options of the solver."""

    def make():
        adapter = from_torch(solve=solve_by(options), **hooks(options, forward))
        return Only(adapter, methods, name)

    return Variant(text, make)


TIGHT = {"rtol": 1e-15, "atol": 1e-30, "eps": 1e-300, "posdef": True}
BROYDEN = {"method": "broyden1", "f_tol": 1e-13, "x_tol": 1e-13, "maxiter": 2000}

VARIANTS = {
    "tight": variant(
        "xitorch cg",
        'solve(method="cg", posdef=True, rtol=1e-15, atol=1e-30, eps=1e-300, '
        "max_niter=1000), minimize(bck_options=the same); inner loop "
        "broyden1(f_tol=x_tol=1e-13, maxiter=2000)",
        TIGHT | {"method": "cg", "max_niter": 1000},
        BROYDEN,
    ),
    "shipped-cg": variant(
        "xitorch cg, as shipped",
        'solve(method="cg"): rtol=1e-6, atol=1e-8; minimize(bck_options=the same)',
        {"method": "cg"},
        {},
    ),
    "shipped": variant(
        "xitorch, as shipped",
        "solve(A, b): dense for a matrix; minimize(f, y): broyden1, backward bicgstab",
        {},
        {},
    ),
}
