"""NeuralBo: ``AIDCGSolver.step`` at L4 and L5, its outer variable θ or λ.

One step of the solver on a problem without inner steps leaves the hypergradient in the
outer variable; with inner steps it is the inner loop too.
"""

from unittest.mock import patch

import torch
from src.problem import AIDProblem
from src.solver import AIDCGSolver, AIDConfig
from src.solver.utils import conjugate_gradient

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem, dot, flat_of

PACKAGES = ("torch",)
METHODS = ("meta_grad", "lam_grad")
INNER_STEPS = 400


class InnerOuter(AIDProblem):
    """A task as its problem; every batch is the whole support or query set.

    Args:
        task: The task.
        inner: (the loss L, φ, outer variable) → the inner loss.
    """

    def __init__(self, task, inner):
        self.task, self.inner = task, inner

    def init(self):
        raise NotImplementedError

    def batch(self, role, batch_size):
        return self.task.query if role == "outer" else self.task.support

    def inner_loss(self, model, outer, batch):
        value = self.task.loss(model(batch[0]), batch[1])
        return self.inner(value, list(model.parameters()), outer)

    def outer_loss(self, model, outer, batch):
        return self.task.loss(model(batch[0]), batch[1])


def hypergradient(task, outer, inner, **settings):
    """Return what one step leaves in the outer variable."""
    problem = Problem(task)
    steps = {"inner_steps": 0}
    if task.phi is None:
        steps = {"inner_steps": INNER_STEPS, "inner_lr": 1.8 * problem.step_size()}
    config = AIDConfig(**steps, **settings)
    AIDCGSolver(config).step(InnerOuter(task, inner), task.model, outer)
    return outer.grad


def tight(task):
    """Return the arguments of its CG, as exact as they allow."""
    size = sum(a.numel() for a in task.theta.values())
    return {"cg_maxiter": 10 * size, "cg_tol": 1e-15}


def theta_gradient(settings, damped=None):
    """Return a function of a task: the hypergradient in θ.

    Args:
        settings: (task) → the arguments of ``AIDConfig``.
        damped: None: the proximal term is in the inner loss.  Else its Hessian is left
            to ``cg_damping``, this many times λ.
    """

    def meta_grad(task):
        problem = Problem(task)
        outer = flat_of(problem.theta).requires_grad_()
        split = problem.splitter(problem.theta)

        def proximal(value, phi, theta):
            if damped is None:
                return value + problem.pull(phi, split(theta))
            return value - task.lam * dot(phi, split(theta))

        options = settings(task)
        if damped is not None:
            if isinstance(task.lam, dict):
                raise NotImplementedError("its damping is a number")
            options["cg_damping"] = damped * task.lam
        return split(hypergradient(task, outer, proximal, **options))

    return meta_grad


def lam_gradient(settings):
    """Return a function of a task: the hypergradient in λ."""

    def lam_grad(task):
        problem = Problem(task)
        vector = isinstance(task.lam, dict)
        dtype = problem.theta[0].dtype
        outer = flat_of(problem.lam) if vector else torch.tensor(task.lam, dtype=dtype)
        split = problem.splitter(problem.theta)

        def proximal(value, phi, lam):
            lams = split(lam) if vector else [lam] * len(phi)
            terms = zip(lams, phi, problem.theta, strict=True)
            return (
                value + sum((w * (p - t.detach()) ** 2).sum() for w, p, t in terms) / 2
            )

        found = hypergradient(task, outer.requires_grad_(), proximal, **settings(task))
        return dict(zip(problem.names, split(found), strict=True)) if vector else found

    return lam_grad


def relative(matvec, b, maxiter, tol, lam):
    """Solve by conjugate gradients of ours, a relative tolerance: a control."""
    with torch.enable_grad():
        x, r = [torch.zeros_like(a) for a in b], list(b)
        p, rr = r, dot(r, r)
        limit = (tol**2) * float(rr)
        for _ in range(maxiter):
            Ap = [a + lam * d for a, d in zip(matvec(p), p, strict=True)]
            length = rr / dot(p, Ap)
            x = [a + length * d for a, d in zip(x, p, strict=True)]
            r = [a - length * d for a, d in zip(r, Ap, strict=True)]
            before, rr = rr, dot(r, r)
            if float(rr) <= limit:
                break
            p = [a + rr / before * d for a, d in zip(r, p, strict=True)]
    return x


def large(matvec, b, **settings):
    """Solve by its own CG for 10⁸ b, and divide by that: a control."""
    found = conjugate_gradient(matvec, [1e8 * a for a in b], **settings)
    return [a / 1e8 for a in found]


def undamped(matvec, b, maxiter, tol, lam):
    """Solve as ``relative`` does, the damping of the solver itself left out."""
    return relative(matvec, b, maxiter, tol, 0.0)


def controlled(gradient, solver=relative):
    """Return the same with its ``conjugate_gradient`` replaced."""

    def run(task):
        with patch("src.solver.aid.conjugate_gradient", solver):
            return gradient(task)

    return run


def variant(name, text, meta_grad, lam_grad=None):
    """Return a variant."""

    def make():
        adapter = from_torch(meta_grad=meta_grad, lam_grad=lam_grad)
        return Only(adapter, METHODS if lam_grad else METHODS[:1], name)

    return Variant(text, make)


def at_given(gradient):
    """Return the same for a φ that is given alone."""

    def meta_grad(task):
        if task.phi is None:
            raise NotImplementedError("asked where φ is given")
        return gradient(task)

    return meta_grad


VARIANTS = {
    "tight": variant(
        "NeuralBo AIDCGSolver",
        "AIDConfig(cg_maxiter=10 n, cg_tol=1e-15, cg_damping=0); inner loop its SGD, "
        f"{INNER_STEPS} steps of 1.8/‖H + Λ‖₂",
        theta_gradient(tight),
        lam_gradient(tight),
    ),
    "control": variant(
        "NeuralBo AIDCGSolver, control",
        "as tight, its conjugate_gradient replaced by one of ours with a relative "
        "tolerance",
        controlled(theta_gradient(tight)),
        controlled(lam_gradient(tight)),
    ),
    "large": variant(
        "NeuralBo AIDCGSolver, 10⁸ b, control",
        "as tight, its conjugate_gradient asked for 10⁸ b, the answer divided by 10⁸, "
        "L4",
        at_given(controlled(theta_gradient(tight), large)),
        at_given(controlled(lam_gradient(tight), large)),
    ),
    "shipped": variant(
        "NeuralBo AIDCGSolver, as shipped",
        "AIDConfig(): cg_maxiter=3, cg_tol=1e-10, cg_damping=0; L4",
        at_given(theta_gradient(lambda task: {})),
        at_given(lam_gradient(lambda task: {})),
    ),
    "damped": variant(
        "NeuralBo AIDCGSolver, cg_damping=λ",
        "as control, the inner loss without ½λ‖φ‖² and cg_damping=λ in its place, L4",
        at_given(controlled(theta_gradient(tight, damped=1.0))),
    ),
    "damped-half": variant(
        "NeuralBo AIDCGSolver, cg_damping=λ/2, control",
        "as damped, cg_damping=λ/2",
        at_given(controlled(theta_gradient(tight, damped=0.5))),
    ),
    "damped-once": variant(
        "NeuralBo AIDCGSolver, cg_damping=λ added once, control",
        "as damped, the damping that its conjugate_gradient adds left out",
        at_given(controlled(theta_gradient(tight, damped=1.0), undamped)),
    ),
}
