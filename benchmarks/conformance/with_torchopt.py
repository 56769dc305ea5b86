"""TorchOpt: linear solvers at L3, ``custom_root`` at L4 and L5, optimisers at L6, L7.

At L4 the solver function returns the φ given; at L5, one found by ``torch_problem``.
"""

import torch
import torchopt
from torchopt.diff.implicit import custom_root
from torchopt.linear_solve import solve_cg, solve_inv, solve_normal_cg

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem, flat_of

PACKAGES = ("torchopt", "torch")
METHODS = ("solve", "meta_grad", "outer_step")


def implicit_gradient(solve):
    """Return a function of a task: the gradient by ``custom_root``."""

    def meta_grad(task):
        problem = Problem(task)
        phi = problem.solution()

        def optimality(params, theta):
            return problem.slope(params, theta)

        @custom_root(optimality, argnums=1, solve=solve)
        def solved(params, theta):
            return tuple(a.detach() for a in phi)

        found = solved(problem.theta, problem.theta)
        return torch.autograd.grad(problem.outer(found), problem.theta)

    return meta_grad


def as_one_tensor(solve):
    """Return the same function with θ and φ as one flat tensor each: a control."""

    def meta_grad(task):
        problem = Problem(task)
        split = problem.splitter(problem.theta)
        phi = flat_of(problem.solution())
        theta = flat_of(problem.theta).requires_grad_()

        def optimality(flat, anchor):
            return torch.func.grad(lambda p: problem.inner(split(p), split(anchor)))(
                flat
            )

        @custom_root(optimality, argnums=1, solve=solve)
        def solved(flat, anchor):
            return phi

        found = problem.outer(split(solved(theta.detach(), theta)))
        return torch.autograd.grad(found, theta)[0]

    return meta_grad


def linear_solve(solver):
    """Return a function (A, b) → x."""
    return lambda A, b: solver(lambda p: A @ p, b)


def outer_step(theta, grad, state, outer):
    """Take a step of TorchOpt's functional optimiser."""
    names = list(theta)
    params = [theta[n].clone() for n in names]
    optimizer = optimizer_of(outer)
    state = optimizer.init(params) if state is None else state
    updates, state = optimizer.update([grad[n] for n in names], state, inplace=False)
    params = torchopt.apply_updates(params, updates, inplace=False)
    return dict(zip(names, params, strict=True)), state


def outer_step_in_float64(*args):
    """Take that step with PyTorch's default dtype set to float64: a control."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return outer_step(*args)
    finally:
        torch.set_default_dtype(default)


def optimizer_of(outer):
    """Return the optimiser that a case names."""
    if outer["optimizer"] == "sgd":
        return torchopt.sgd(outer["step_size"])
    betas = outer["beta1"], outer["beta2"]
    return torchopt.adam(outer["step_size"], betas, outer["eps"])


def variant(
    name, settings, solver, methods=METHODS, gradient=implicit_gradient, step=outer_step
):
    """Return a variant that uses a linear solver at every level."""

    def make():
        adapter = from_torch(
            meta_grad=gradient(solver),
            solve=linear_solve(solver or solve_normal_cg()),
            outer_step=step,
        )
        return Only(adapter, methods, name)

    return Variant(settings, make)


def neumann(matvec, b):
    """Solve by the Neumann series of αA, α = 1/‖A‖₁."""
    columns = [matvec(e) for e in torch.eye(len(b), dtype=b.dtype)]
    alpha = 1 / float(torch.stack(columns).abs().sum(1).max())
    return solve_inv(ns=True, maxiter=2000, alpha=alpha)(matvec, b)


VARIANTS = {
    "tight": variant(
        "TorchOpt",
        "solve_cg(rtol=1e-14), custom_root(solve=the same)",
        solve_cg(rtol=1e-14),
    ),
    "dense": variant(
        "TorchOpt, solve_inv",
        "solve_inv(), custom_root(solve=the same)",
        solve_inv(),
    ),
    "dense-control": variant(
        "TorchOpt, solve_inv, one tensor",
        "as dense, all parameters in one flat tensor",
        solve_inv(),
        ("meta_grad",),
        as_one_tensor,
    ),
    "adam-control": variant(
        "TorchOpt, default dtype float64",
        "as tight, with torch.set_default_dtype(torch.float64) around its optimiser",
        solve_cg(rtol=1e-14),
        ("outer_step",),
        step=outer_step_in_float64,
    ),
    "neumann": variant(
        "TorchOpt, Neumann",
        "solve_inv(ns=True, maxiter=2000, alpha=1/‖A‖₁)",
        neumann,
        ("solve",),
    ),
    "shipped": variant(
        "TorchOpt, as shipped",
        "solve_normal_cg(), custom_root(solve=None), which is the same",
        None,
    ),
}
