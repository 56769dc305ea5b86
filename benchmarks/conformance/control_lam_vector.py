"""A control: the operator of imaml_dev with a λ per parameter, solved exactly.

    python benchmarks/run.py conformance.control_lam_vector CHECKOUT

Prints for each task of ``ridge-lam-vector`` the largest |A − Aᵀ|, and the distances of
the exact solution of its system to (H + Λ)⁻¹ Λ v and to (5), Λ (H + Λ)⁻¹ v.
"""

import sys

import torch

from imaml_ref import conformance
from imaml_ref.conformance.from_torch import from_torch


def main():
    """Print them."""
    (checkout,) = sys.argv[1:]
    sys.path.insert(0, checkout)
    case = conformance.load_suite()["ridge-lam-vector"]
    for task in from_torch().tasks(case, case.solution):
        found = distances(task)
        print("asymmetry {:.2g}, to (H+Λ)⁻¹Λv {:.2g}, to (5) {:.2g}".format(*found))


def distances(task):
    """Return the asymmetry and the two distances, relative to the solution."""
    from . import with_imaml_dev as driver
    from .torch_problem import Problem, flat_of

    problem, lam = Problem(task), driver.lam_of(task)
    data = {"x_train": task.support[0], "y_train": task.support[1]}
    apply = driver.undamped(driver.Learner(task.model, task.loss), data, lam)
    A = torch.stack([apply(e) for e in torch.eye(len(lam), dtype=lam.dtype)], 1)
    v = flat_of(torch.autograd.grad(problem.outer(problem.given), problem.given))
    x, H_and_lam = torch.linalg.solve(A, v), problem.hessian(problem.given)
    others = (
        torch.linalg.solve(H_and_lam, lam * v),
        lam * torch.linalg.solve(H_and_lam, v),
    )
    gaps = (float((x - y).norm() / x.norm()) for y in others)
    return float((A - A.T).abs().max()), *gaps
