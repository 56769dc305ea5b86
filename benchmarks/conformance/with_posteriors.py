"""posteriors: ``hvp`` and ``ggnvp`` at L2, ``cg`` at L3, both together at L4 and L5."""

import posteriors
import torch

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Variant
from .torch_problem import Problem

PACKAGES = ("posteriors", "torch")
METHODS = ("hvp", "solve", "meta_grad")


def support_loss(problem):
    """Return L as a function of φ by name, for posteriors' products."""
    support = problem.task.support
    return lambda named: problem.loss([named[n] for n in problem.names], support)


def hessian_product(task, v):
    """Return H v by ``posteriors.hvp``."""
    phi = {n: a.detach() for n, a in task.phi.items()}
    return posteriors.hvp(support_loss(Problem(task)), (phi,), (v,))[1]


def gauss_newton_product(task, v):
    """Return G v by ``posteriors.ggnvp``."""
    x, y = task.support
    return posteriors.ggnvp(
        lambda named: torch.func.functional_call(task.model, named, (x,)),
        lambda z: task.loss(z, y),
        ({n: a.detach() for n, a in task.phi.items()},),
        (v,),
    )[1]


def gradient_by(settings):
    """Return a function of a task: λ (H + λI)⁻¹ v, ``damping`` = λ."""

    def meta_grad(task):
        if isinstance(task.lam, dict):
            raise NotImplementedError("its damping is a number")
        problem = Problem(task)
        phi = problem.solution()
        b = torch.autograd.grad(problem.outer(phi), phi)
        phi = {n: a.detach() for n, a in zip(problem.names, phi, strict=True)}
        loss = support_loss(problem)
        found, _ = posteriors.cg(
            lambda v: posteriors.hvp(loss, (phi,), (v,))[1],
            dict(zip(problem.names, b, strict=True)),
            damping=task.lam,
            **settings,
        )
        return {n: task.lam * a for n, a in found.items()}

    return meta_grad


def solve_by(settings):
    """Return a function (A, b) → x."""

    def solve(A, b):
        return posteriors.cg(lambda p: {"x": A @ p["x"]}, {"x": b}, **settings)[0]["x"]

    return solve


class Posteriors:
    """What posteriors computes.

    Args:
        name: What the report calls it.
        settings: Arguments of ``cg``.
    """

    def __init__(self, name, **settings):
        self.name = name
        self.adapter = from_torch(
            meta_grad=gradient_by(settings),
            solve=solve_by(settings),
            hvp=hessian_product,
        )
        for method in METHODS:
            setattr(self, method, getattr(self.adapter, method))

    def gnvp(self, case):
        return self.adapter.each(case, gauss_newton_product)


VARIANTS = {
    "tight": Variant(
        "hvp, ggnvp; cg(tol=1e-15, damping=λ)",
        lambda: Posteriors("posteriors", tol=1e-15),
    ),
    "shipped": Variant(
        "hvp, ggnvp; cg(damping=λ): tol=1e-5",
        lambda: Posteriors("posteriors, as shipped"),
    ),
}
