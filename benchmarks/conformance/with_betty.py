"""Betty: its hypergradients by ``cg`` and ``neumann`` at L3, L4 and L5.

Two ImplicitProblems hold φ and θ; ``betty.hypergradient.get_grads`` is asked for the
gradient along the path θ → φ → θ, as Betty's engine does.  At L3 the inner loss is
½ xᵀA x − ⟨t, x⟩ and the outer one ⟨b, x⟩.
"""

import betty
import torch
from betty.configs import Config
from betty.hypergradient import get_grads
from betty.problems import ImplicitProblem

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem

PACKAGES = ("torch",)
METHODS = ("solve", "meta_grad")


class Level(ImplicitProblem):
    """A level of a two-level problem: some tensors, and a loss of them."""

    def __init__(self, name, tensors, loss, **config):
        module = torch.nn.ParameterList([torch.nn.Parameter(a) for a in tensors])
        super().__init__(name=name, module=module, config=Config(**config))
        self.objective = loss

    def training_step(self, batch):
        return self.objective()


def hypergradient(inner, outer, phi, theta, **config):
    """Return the gradient of ``outer(φ)`` in θ, φ a solution of ``inner(φ, θ)``."""
    upper = Level("upper", [a.detach().clone() for a in theta], None)
    lower = Level("lower", [a.detach().clone() for a in phi], None, **config)
    lower.objective = lambda: inner(tuple(lower.module), tuple(upper.module))
    loss = outer(tuple(lower.module))
    path = [upper, lower, upper]
    return get_grads(loss, path, retain_graph=True, do_sync=False)


def solve_by(settings):
    """Return a function (A, b) → x."""

    def solve(A, b):
        zero, norm = (torch.zeros_like(b),), float(torch.linalg.matrix_norm(A, 2))
        (found,) = hypergradient(
            lambda x, t: x[0] @ A @ x[0] / 2 - t[0] @ x[0],
            lambda x: b @ x[0],
            zero,
            zero,
            **settings(len(b), 1 / norm),
        )
        return found

    return solve


def gradient_by(settings):
    """Return a function of a task: its hypergradient in θ."""

    def meta_grad(task):
        problem = Problem(task)
        phi = problem.solution()
        config = settings(sum(a.numel() for a in phi), problem.step_size())
        functions = problem.inner, problem.outer
        return hypergradient(*functions, phi, problem.theta, **config)

    return meta_grad


def variant(name, settings, config, methods=METHODS):
    """Return a variant with a configuration."""

    def make():
        solve, meta_grad = solve_by(config), gradient_by(config)
        adapter = from_torch(meta_grad=meta_grad, solve=solve)
        return Only(adapter, methods, name)

    return Variant(f"betty {betty.__version__}: {settings}", make)


def cg(iterations, alpha):
    """Return a function from n to Betty's settings of ``cg``."""

    def config(n, step):
        count = n if iterations is None else iterations
        return {"type": "cg", "cg_iterations": count, "cg_alpha": alpha}

    return config


def neumann(n, step):
    """Return Betty's settings of ``neumann``."""
    return {"type": "neumann", "neumann_iterations": 2000, "neumann_alpha": step}


VARIANTS = {
    "tight": variant("Betty cg", "cg_iterations=n, cg_alpha=1", cg(None, 1.0)),
    "alpha": variant(
        "Betty cg, cg_alpha=0.1",
        "cg_iterations=n, cg_alpha=0.1, the value in its test_regression.py",
        cg(None, 0.1),
    ),
    "example": variant(
        "Betty cg, as in its iMAML example",
        "cg_iterations=3, cg_alpha=1",
        cg(3, 1.0),
    ),
    "shipped": variant(
        "Betty cg, as shipped", "cg_iterations=1, cg_alpha=1", cg(1, 1.0)
    ),
    "neumann": variant(
        "Betty neumann",
        "neumann_iterations=2000, neumann_alpha=1/‖A‖₂",
        neumann,
        ("solve",),
    ),
}
