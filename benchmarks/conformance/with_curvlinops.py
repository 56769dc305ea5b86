"""curvlinops: operators at L2, inverses at L3, both together at L4 and L5."""

import torch
from curvlinops import (
    CGInverseLinearOperator,
    GGNLinearOperator,
    HessianLinearOperator,
    NeumannInverseLinearOperator,
)
from curvlinops.examples import IdentityLinearOperator, TensorLinearOperator

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Variant
from .torch_problem import Problem

METHODS = ("hvp", "solve", "meta_grad")
PACKAGES = ("curvlinops-for-pytorch", "linear_operator", "torch")


def operator(kind, task):
    """Return H or G of the support set, and what is to be multiplied with it."""
    loss = torch.nn.CrossEntropyLoss()
    scale = 1.0
    x, y = task.support
    if y.dtype.is_floating_point:
        loss, scale = torch.nn.MSELoss(), y.shape[-1] / 2
    params = [a for a in task.model.parameters() if a.requires_grad]
    made = kind(task.model, loss, params, [(x, y)], check_deterministic=False)
    return scale * made


def product(kind):
    """Return a function (task, v) → the product of the operator with v."""

    def apply(task, v):
        found = operator(kind, task) @ [v[name] for name in task.theta]
        return dict(zip(task.theta, found, strict=True))

    return apply


def gradient_by(inverse):
    """Return a function of a task: λ (H + λI)⁻¹ v."""

    def meta_grad(task):
        problem = Problem(task)
        if isinstance(task.lam, dict):
            raise NotImplementedError("no operator for a λ per parameter")
        phi = problem.solution()
        with torch.no_grad():
            for name, a in zip(problem.names, phi, strict=True):
                task.model.get_parameter(name).copy_(a)
        v = torch.autograd.grad(problem.outer(phi), phi)
        shapes = [tuple(a.shape) for a in phi]
        eye = IdentityLinearOperator(shapes, phi[0].device, phi[0].dtype)
        A = operator(HessianLinearOperator, task) + task.lam * eye
        return [task.lam * x for x in inverse(A, problem) @ list(v)]

    return meta_grad


class Curvlinops:
    """What curvlinops computes.

    Args:
        name: What the report calls it.
        inverse: (operator, problem or matrix) → the inverse operator.
        methods: What is asked; the product with G always is.
    """

    def __init__(self, name, inverse, methods=METHODS):
        self.name = name
        adapter = from_torch(
            meta_grad=gradient_by(inverse),
            solve=lambda A, b: inverse(TensorLinearOperator(A), A) @ b,
            hvp=product(HessianLinearOperator),
        )
        self.adapter = adapter
        for method in methods:
            setattr(self, method, getattr(adapter, method))

    def gnvp(self, case):
        return self.adapter.each(case, product(GGNLinearOperator))


def norm_of(about):
    """Return the largest eigenvalue of a matrix, or of H + λI at θ."""
    if isinstance(about, torch.Tensor):
        return float(torch.linalg.matrix_norm(about, 2))
    return 1 / about.step_size()


def tight(A, about):
    """Return the inverse by CG, as exact as its interface allows."""
    options = {"tolerance": 1e-14, "eps": 1e-30, "stop_updating_after": 1e-14}
    return CGInverseLinearOperator(A, max_iter=1000, max_tridiag_iter=1, **options)


def documented(A, about):
    """Return the inverse by CG, with the arguments of the docstring's example."""
    n = A.shape[0]
    return CGInverseLinearOperator(A, max_iter=n, max_tridiag_iter=n, tolerance=1e-7)


def neumann(A, about):
    """Return the inverse by a Neumann series."""
    return NeumannInverseLinearOperator(A, num_terms=2000, scale=1 / norm_of(about))


VARIANTS = {
    "tight": Variant(
        "CGInverseLinearOperator(max_iter=1000, max_tridiag_iter=1, tolerance=1e-14, "
        "eps=1e-30, stop_updating_after=1e-14)",
        lambda: Curvlinops("curvlinops", tight),
    ),
    "documented": Variant(
        "CGInverseLinearOperator(max_iter=n, max_tridiag_iter=n, tolerance=1e-7), as "
        "in its docstring",
        lambda: Curvlinops("curvlinops, as in its docstring", documented),
    ),
    "shipped": Variant(
        "CGInverseLinearOperator(A)",
        lambda: Curvlinops(
            "curvlinops, as shipped", lambda A, about: CGInverseLinearOperator(A)
        ),
    ),
    "neumann": Variant(
        "NeumannInverseLinearOperator(num_terms=2000, scale=1/‖A‖₂)",
        lambda: Curvlinops("curvlinops, Neumann", neumann, ("solve",)),
    ),
}
