"""hypertorch: its approximate implicit differentiation at L3, L4 and L5.

At L3 the fixed-point map is x ↦ x − (A x − t) and the outer loss ⟨b, x⟩, whose
hypergradient in t is A⁻¹ b; elsewhere it is hypertorch's gradient step on G.
"""

from unittest.mock import patch

import hypergrad as hg
import torch

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem, dot

PACKAGES = ("torch",)
METHODS = ("solve", "meta_grad")


def solve_by(method, step_of, settings):
    """Return a function (A, b) → x."""

    def solve(A, b):
        x, t = torch.zeros_like(b), torch.zeros_like(b).requires_grad_()
        step = 1.0 if step_of is None else 1 / float(torch.linalg.matrix_norm(A, 2))

        def fp_map(params, hparams):
            return [params[0] - step * (A @ params[0] - hparams[0])]

        (found,) = method(
            [x],
            [t],
            fp_map=fp_map,
            outer_loss=lambda params, hparams: b @ params[0],
            set_grad=False,
            **settings(len(b)),
        )
        return found

    return solve


def gradient_by(method, step_of, settings):
    """Return a function of a task: its hypergradient in θ."""

    def meta_grad(task):
        problem = Problem(task)
        step = 1.0 if step_of is None else step_of(problem)
        size = sum(a.numel() for a in problem.theta)
        return method(
            list(problem.solution()),
            list(problem.theta),
            fp_map=hg.GradientDescent(loss_f=problem.inner, step_size=step),
            outer_loss=problem.outer,
            set_grad=False,
            **settings(size),
        )

    return meta_grad


def last_iterate(Ax, b, max_iter=100, epsilon=1e-5):
    """Solve by conjugate gradients with the same stopping rule: a control.

    The iterate that meets the tolerance is the one returned.
    """
    x, r = [torch.zeros_like(a) for a in b], list(b)
    p, rr = r, dot(r, r)
    for _ in range(max_iter):
        Ap = Ax(p)
        length = rr / dot(p, Ap)
        x = [a + length * d for a, d in zip(x, p, strict=True)]
        r = [a - length * d for a, d in zip(r, Ap, strict=True)]
        before, rr = rr, dot(r, r)
        if float(rr.sqrt()) < epsilon:
            break
        p = [a + rr / before * d for a, d in zip(r, p, strict=True)]
    return x


def controlled(*args, **settings):
    """Return hypertorch's hypergradient by ``CG``, its solver replaced."""
    with patch("hypergrad.CG_torch.cg", last_iterate):
        return hg.CG(*args, **settings)


def variant(name, settings, method, options, step_of=None, methods=METHODS):
    """Return a variant with one of hypertorch's methods."""

    def make():
        solve = solve_by(method, step_of, options)
        meta_grad = gradient_by(method, step_of, options)
        adapter = from_torch(meta_grad=meta_grad, solve=solve)
        return Only(adapter, methods, name)

    return Variant(settings, make)


VARIANTS = {
    "tight": variant(
        "hypertorch CG",
        "CG(K=10 n, tol=1e-15), gradient step of size 1",
        hg.CG,
        lambda n: {"K": 10 * n, "tol": 1e-15},
    ),
    "shipped": variant(
        "hypertorch CG, as shipped",
        "CG(K=10 n), tol=1e-10, gradient step of size 1 as in its examples/iMAML.py",
        hg.CG,
        lambda n: {"K": 10 * n},
    ),
    "example": variant(
        "hypertorch CG, as in its iMAML example",
        "CG(K=5), tol=1e-10, gradient step of size 1",
        hg.CG,
        lambda n: {"K": 5},
    ),
    "control": variant(
        "hypertorch CG, control",
        "as tight, its cg replaced by one of ours that returns the last iterate",
        controlled,
        lambda n: {"K": 10 * n, "tol": 1e-15},
    ),
    "normal": variant(
        "hypertorch CG_normaleq",
        "CG_normaleq(K=10 n, tol=1e-15), gradient step of size 1",
        hg.CG_normaleq,
        lambda n: {"K": 10 * n, "tol": 1e-15},
    ),
    "fixed-point": variant(
        "hypertorch fixed_point",
        "fixed_point(K=2000, tol=1e-16), gradient step of size 1/‖A‖₂",
        hg.fixed_point,
        lambda n: {"K": 2000, "tol": 1e-16},
        Problem.step_size,
        ("solve",),
    ),
}
