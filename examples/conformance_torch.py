"""Is my PyTorch meta-gradient right?  Ask the suite, and read where it is not.

    pip install torch
    python examples/conformance_torch.py
    python examples/conformance_torch.py --mistake

What is judged here is iMAML as it is often written: an inner loop on the parameters of
a Module, conjugate gradients on products with H by autograd, and no layout of ours in
sight.  Only the last lines are about the suite: a function of a task goes in, a report
comes out.  With --mistake the factor λ after the solve is forgotten, which for a scalar
λ no training with Adam would ever show.
"""

import argparse
import warnings

import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from imaml_ref import conformance
from imaml_ref.conformance.from_torch import from_torch

CASES = ["ridge", "one-task", "conv-lam-vector", "not-stationary"]
SYSTEMS = ["spd-10", "tiny-right-hand-side", "indefinite"]


def my_meta_grad(task):
    """Return g = λ (H + λI)⁻¹ ∇Q, flat, at φ, which the inner loop finds if need be."""
    return as_vector(task.lam) * my_system(task)


def my_lost_factor(task):
    """Return the same without the λ in front."""
    return my_system(task)


def my_system(task):
    """Return x with (H + λI) x = ∇Q at φ."""
    net, lam, theta = task.model, as_vector(task.lam), as_vector(task.theta)
    if task.phi is None:
        my_inner_loop(net, theta, lam, task)
    slope = my_gradient(net, task.loss, task.support, create_graph=True)
    my_check(slope + lam * (as_vector(net.parameters()) - theta), slope)
    v = my_gradient(net, task.loss, task.query)
    return my_cg(lambda p: my_hvp(net, slope, p) + lam * p, v)


def my_inner_loop(net, theta, lam, task):
    """Move the parameters of the net from θ to the minimum of L + ½ λ ‖φ − θ‖²."""
    x, y = task.support
    descent = torch.optim.LBFGS(
        net.parameters(), max_iter=500, line_search_fn="strong_wolfe"
    )

    def closure():
        descent.zero_grad()
        away = as_vector(net.parameters()) - theta
        objective = task.loss(net(x), y) + (lam * away**2).sum() / 2
        objective.backward()
        return objective

    descent.step(closure)
    # A line search ends where the objective no longer falls, at a gradient of about the
    # root of rounding: half the digits.  Newton's method finds the other half.
    for _ in range(3):
        slope = my_gradient(net, task.loss, task.support, create_graph=True)
        phi = as_vector(net.parameters()).detach()
        residual = slope.detach() + lam * (phi - theta)
        step = my_cg(lambda p, slope=slope: my_hvp(net, slope, p) + lam * p, residual)
        vector_to_parameters(phi - step, net.parameters())


def my_gradient(net, loss, examples, create_graph=False):
    """Return the gradient of the loss on some examples, flat."""
    x, y = examples
    found = torch.autograd.grad(
        loss(net(x), y), list(net.parameters()), create_graph=create_graph
    )
    return as_vector(found)


def my_hvp(net, slope, p):
    """Return H p, by a second backward pass through the gradient."""
    found = torch.autograd.grad(slope @ p, list(net.parameters()), retain_graph=True)
    return as_vector(found)


def my_check(residual, slope):
    """Say so if φ is not stationary: then there is no implicit gradient."""
    if residual.norm() > 1e-6 * slope.norm():
        warnings.warn("the inner loop has not converged", stacklevel=2)


def my_cg(matvec, b):
    """Solve A x = b to rounding; the tolerance is relative to b.

    Raises:
        Refused: If A has negative curvature: then x need be no minimum.
    """
    x, r = torch.zeros_like(b), b.clone()
    p = r.clone()
    for _ in range(4 * len(b)):
        if r.norm() <= 1e-15 * b.norm():
            break
        Ap = matvec(p)
        curvature = p @ Ap
        if curvature <= 0:
            raise conformance.Refused(f"negative curvature: pᵀAp = {curvature:.2g}")
        alpha = (r @ r) / curvature
        x, before = x + alpha * p, r @ r
        r = r - alpha * Ap
        p = r + (r @ r) / before * p
    return x


def as_vector(params):
    """Return parameters, or their gradients, as one vector; numbers stay numbers."""
    if isinstance(params, float):
        return params
    params = params.values() if isinstance(params, dict) else params
    return parameters_to_vector(params)


# The three lines.


def main() -> None:
    """Ask, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mistake", action="store_true", help="forget a factor λ")
    wanted = my_lost_factor if parser.parse_args().mistake else my_meta_grad
    mine = from_torch(meta_grad=wanted, solve=lambda A, b: my_cg(A.matmul, b))
    report = conformance.check(mine, cases=CASES + SYSTEMS)
    print(conformance.as_text(conformance.diagnose(report, conformance.load_suite())))


if __name__ == "__main__":
    main()
