"""The inner problem of a task in PyTorch, for libraries that are given functions.

Parameters are tuples of tensors in the order of ``named_parameters``.

    G(φ, θ) = L(φ) + ½ Σ λ (φ − θ)²        inner
    Q(φ)                                   outer
"""

import torch
from torch.func import functional_call

NEWTON_STEPS, HALVINGS = 100, 30
SOLVED: dict = {}


class Problem:
    """L, Q and G of a task as functions of tuples of tensors.

    Args:
        task: A ``Task`` of ``imaml_ref.conformance.adapter``.
    """

    def __init__(self, task):
        self.task, self.names = task, list(task.theta)
        given = task.theta if task.phi is None else task.phi
        self.theta = self.leaves(task.theta)
        self.given = self.leaves(given)
        vector = isinstance(task.lam, dict)
        self.lam = [task.lam[n] if vector else task.lam for n in self.names]

    def leaves(self, named):
        """Return tensors by name as new leaves that ask for gradients."""
        return tuple(named[n].detach().clone().requires_grad_() for n in self.names)

    def loss(self, phi, examples):
        """Return ℓ(f(φ, x), y)."""
        x, y = examples
        named = dict(zip(self.names, phi, strict=True))
        return self.task.loss(functional_call(self.task.model, named, (x,)), y)

    def outer(self, phi, theta=None):
        """Return Q(φ); θ is not in it."""
        return self.loss(phi, self.task.query)

    def pull(self, phi, theta):
        """Return the proximal term."""
        terms = zip(self.lam, phi, theta, strict=True)
        return sum((lam * (p - t) ** 2).sum() for lam, p, t in terms) / 2

    def inner(self, phi, theta):
        """Return G(φ, θ)."""
        return self.loss(phi, self.task.support) + self.pull(phi, theta)

    def slope(self, phi, theta):
        """Return ∇G in φ."""
        return torch.func.grad(self.inner)(tuple(phi), tuple(theta))

    def hessian(self, phi):
        """Return the matrix H + Λ, (P, P)."""
        split = self.splitter(phi)
        return torch.autograd.functional.hessian(
            lambda flat: self.inner(split(flat), self.theta),
            flat_of(phi),
            vectorize=True,
        )

    def splitter(self, like):
        """Return a function from a flat vector to a tuple of tensors."""
        sizes = [a.numel() for a in like]

        def split(flat):
            pairs = zip(flat.split(sizes), like, strict=True)
            return tuple(part.reshape(a.shape) for part, a in pairs)

        return split

    def solution(self):
        """Return φ where it is given; else φ*, a minimum of G downhill from θ.

        It stands for an inner loop where a library has none of its own.
        """
        if self.task.phi is not None:
            return self.given
        key = self.key()
        if key not in SOLVED:
            SOLVED[key] = minimum(self)
        return tuple(a.clone().requires_grad_() for a in SOLVED[key])

    def key(self):
        """Return what the solution depends on, to solve no problem twice."""
        known = [*self.theta, *self.task.support]
        arrays = [a.detach().numpy().tobytes() for a in known]
        lam = [getattr(lam, "tolist", lambda lam=lam: lam)() for lam in self.lam]
        return str(self.task.model), str(lam), *arrays

    def step_size(self):
        """Return 1 / the largest eigenvalue of H + Λ at θ and φ*: a safe step."""
        points = self.theta, self.solution()
        return 1 / max(float(largest(self.hessian(phi))) for phi in points)


def largest(matrix):
    """Return the largest eigenvalue of a symmetric matrix."""
    return torch.linalg.eigvalsh(matrix)[-1]


def flat_of(tensors):
    """Return tensors as one flat vector without a graph."""
    return torch.cat([a.detach().ravel() for a in tensors])


def dot(a, b):
    """Return the inner product of two tuples of tensors."""
    return sum((x * y).sum() for x, y in zip(a, b, strict=True))


def minimum(problem):
    """Return a minimum of G: Newton's steps with |H + Λ|, halved until G falls.

    Once G no longer falls by more than rounding, plain Newton steps are taken as long
    as ‖∇G‖ falls.
    """
    split = problem.splitter(problem.theta)

    def value(phi):
        return float(problem.inner(split(phi), problem.theta).detach())

    def slope(phi):
        return flat_of(problem.slope(split(phi), problem.theta))

    phi = flat_of(problem.theta)
    for _ in range(NEWTON_STEPS):
        g = slope(phi)
        size, axes = torch.linalg.eigh(problem.hessian(split(phi)))
        step = -axes @ ((axes.T @ g) / size.abs().clamp(min=1e-3))
        lengths = 0.5 ** torch.arange(HALVINGS)
        before, drop = value(phi), float(g @ step)
        falls = (t for t in lengths if value(phi + t * step) < before + t * drop / 4)
        length = next(falls, None)
        if length is not None:
            phi = phi + length * step
        elif slope(phi + step).norm() < g.norm():
            phi = phi + step
        else:
            break
    return tuple(a.detach() for a in split(phi))
