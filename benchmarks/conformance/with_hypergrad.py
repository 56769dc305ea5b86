"""hypergrad (moskomule): inverse-Hessian products at L3, L4 and L5.

At L3 the inner objective is ½ xᵀA x − ⟨t, x⟩ and the outer one ⟨b, x⟩.
"""

import torch
from hypergrad.approx_hypergrad import conjugate_gradient, implicit_grad, neumann

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem, dot

PACKAGES = ("torch",)
METHODS = ("solve", "meta_grad")


def textbook(fresh):
    """Return conjugate gradients of ours under hypergrad's decorator: a control.

    Args:
        fresh: Whether the new direction is built on the new residual, or on the old.
    """

    @implicit_grad
    def loop(inner_obj, outer_obj, in_params, out_params, num_iters, lr):
        b, direct = torch.func.grad(outer_obj, argnums=(0, 1))(in_params, out_params)

        def product(p):
            slope = torch.func.grad(lambda q: inner_obj(q, out_params))
            return torch.func.jvp(slope, (in_params,), (p,))[1]

        x, r = tuple(torch.zeros_like(a) for a in b), b
        p, rr = r, dot(r, r)
        for _ in range(num_iters):
            Ap = product(p)
            length = rr / dot(p, Ap)
            x = tuple(a + length * d for a, d in zip(x, p, strict=True))
            old, r = r, tuple(a - length * d for a, d in zip(r, Ap, strict=True))
            before, rr = rr, dot(r, r)
            if float(rr) == 0:
                break
            base = r if fresh else old
            p = tuple(a + rr / before * d for a, d in zip(base, p, strict=True))
        return x, direct

    return loop


def solve_by(method, settings):
    """Return a function (A, b) → x."""

    def solve(A, b):
        def inner(x, t):
            return x[0] @ A @ x[0] / 2 - t[0] @ x[0]

        def outer(x, t):
            return b @ x[0] + 0 * t[0].sum()

        zero = (torch.zeros_like(b),)
        norm = float(torch.linalg.matrix_norm(A, 2))
        (found,) = method(inner, outer, zero, zero, **settings(len(b), 1 / norm))
        return found

    return solve


def gradient_by(method, settings):
    """Return a function of a task: its hypergradient in θ."""

    def meta_grad(task):
        problem = Problem(task)
        theta = tuple(a.detach() for a in problem.theta)
        phi = tuple(a.detach() for a in problem.solution())
        options = settings(sum(a.numel() for a in phi), problem.step_size())

        def outer(phi, theta):
            return problem.outer(phi) + 0 * sum(a.sum() for a in theta)

        return method(problem.inner, outer, phi, theta, **options)

    return meta_grad


def variant(name, settings, method, options, methods=METHODS):
    """Return a variant with one of its methods."""

    def make():
        solve, meta_grad = solve_by(method, options), gradient_by(method, options)
        adapter = from_torch(meta_grad=meta_grad, solve=solve)
        return Only(adapter, methods, name)

    return Variant(settings, make)


VARIANTS = {
    "tight": variant(
        "hypergrad conjugate_gradient",
        "conjugate_gradient(num_iters=n, lr=1)",
        conjugate_gradient,
        lambda n, step: {"num_iters": n, "lr": 1.0},
    ),
    "control": variant(
        "hypergrad, control",
        "as tight with num_iters=3 n, its loop replaced by one of ours",
        textbook(fresh=True),
        lambda n, step: {"num_iters": 3 * n, "lr": 1.0},
    ),
    "control-old-residual": variant(
        "hypergrad, control with the old residual",
        "as tight, its loop replaced by one of ours that builds the new direction on "
        "the old residual",
        textbook(fresh=False),
        lambda n, step: {"num_iters": n, "lr": 1.0},
    ),
    "neumann": variant(
        "hypergrad neumann",
        "neumann(num_iters=2000, lr=1/‖A‖₂)",
        neumann,
        lambda n, step: {"num_iters": 2000, "lr": step},
        ("solve",),
    ),
}
