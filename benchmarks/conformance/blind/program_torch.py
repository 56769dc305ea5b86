"""Implicit MAML in PyTorch, written from docs/conformance-format.md alone.

A task at a time, float64.  ``Program`` has the methods of conformance.asking.  It is
here to be broken: the mistakes of the blind list are planted in its source and in
those of torch_network and torch_solver.
"""

import torch

from .torch_network import F64, LOSSES, forward, tensor
from .torch_solver import (  # noqa: F401
    NotPositiveDefiniteError,
    conjugate_gradients,
    krylov,
)


class NotStationaryError(ArithmeticError):
    """The φ given solves no inner problem."""


class Task:
    """Support and query loss of one task, with derivatives."""

    def __init__(self, case, inputs, t):
        """Take task t of the arrays of a group."""
        self.network, self.criterion = case.network, LOSSES[case.loss]
        self.support = tensor(inputs["support_x"][t]), tensor(inputs["support_y"][t])
        self.query = tensor(inputs["query_x"][t]), tensor(inputs["query_y"][t])

    def support_loss(self, phi):
        """Return L(φ)."""
        x, y = self.support
        return self.criterion(forward(self.network, phi, x), y)

    def query_loss(self, phi):
        """Return Q(φ)."""
        x, y = self.query
        return self.criterion(forward(self.network, phi, x), y)

    def grad(self, phi):
        """Return ∇L(φ)."""
        return gradient(self.support_loss, phi)

    def query_grad(self, phi):
        """Return ∇Q(φ)."""
        return gradient(self.query_loss, phi)

    def hvp_at(self, phi):
        """Return the product v ↦ H v."""
        phi = phi.detach().requires_grad_()
        (g,) = torch.autograd.grad(self.support_loss(phi), phi, create_graph=True)
        return lambda v: torch.autograd.grad(g, phi, v, retain_graph=True)[0]

    def gnvp(self, phi, v):
        """Return Jᵀ H_z J v."""
        x, y = self.support
        z, z_dot = torch.func.jvp(lambda p: forward(self.network, p, x), (phi,), (v,))
        z = z.detach().requires_grad_()
        (z_bar,) = torch.autograd.grad(self.criterion(z, y), z, create_graph=True)
        (curved,) = torch.autograd.grad((z_bar * z_dot.detach()).sum(), z)
        phi = phi.detach().requires_grad_()
        return torch.autograd.grad(forward(self.network, phi, x), phi, curved)[0]

    def hessian(self, phi):
        """Return H (P, P)."""
        phi = phi.detach().requires_grad_()
        (g,) = torch.autograd.grad(self.support_loss(phi), phi, create_graph=True)
        eye = torch.eye(len(phi), dtype=F64)
        return torch.autograd.grad(g, phi, eye, is_grads_batched=True)[0]


def gradient(f, phi):
    """Return the gradient of f at φ."""
    phi = phi.detach().requires_grad_()
    return torch.autograd.grad(f(phi), phi)[0]


def solve_inner(task, theta, lam):
    """Return φ* of one task, by damped Newton from θ."""
    phi = theta.clone()
    for _ in range(200):
        pull = task.grad(phi) + lam * (phi - theta)
        curved = task.hessian(phi) + torch.diag(lam)
        values, vectors = torch.linalg.eigh(curved)
        step = vectors @ ((vectors.T @ pull) / values.abs().clamp(min=1e-9))
        size = step.norm()
        if size <= 1e-14 * (1.0 + phi.norm()):
            break
        phi = line_search(task, theta, lam, phi, pull, step)
    return phi


def line_search(task, theta, lam, phi, pull, step):
    """Return φ after the Newton step, halved until the objective falls."""

    def objective(p):
        return task.support_loss(p) + 0.5 * (lam * (p - theta) ** 2).sum()

    start, slope = objective(phi), pull @ step
    if slope < 1e-10 * (1.0 + start.abs()):
        return phi - step
    for halvings in range(40):
        trial = phi - 0.5**halvings * step
        if objective(trial) <= start - 1e-4 * 0.5**halvings * slope:
            return trial
    return phi


class Program:
    """What the suite asks."""

    def loss(self, case):
        """Return L_t(φ_t), (T,)."""
        return self.each(case, case.phi, lambda task, p: task.support_loss(p))

    def grad(self, case):
        """Return ∇L_t(φ_t), (T, P)."""
        return self.each(case, case.phi, lambda task, p: task.grad(p))

    def hvp(self, case):
        """Return H v, (T, P)."""
        pairs = zip(self.tasks(case), tensor(case.phi), tensor(case.v), strict=True)
        return torch.stack([task.hvp_at(p)(v) for task, p, v in pairs]).numpy()

    def gnvp(self, case):
        """Return G v, (T, P)."""
        pairs = zip(self.tasks(case), tensor(case.phi), tensor(case.v), strict=True)
        return torch.stack([task.gnvp(p, v) for task, p, v in pairs]).numpy()

    def solve(self, A, b):
        """Return x with A x = b."""
        matrix = tensor(A)
        return conjugate_gradients(lambda p: matrix @ p, tensor(b)).numpy()

    def inner(self, case):
        """Return φ_t*, (T, P)."""
        theta, lam = self.centre(case)
        found = [solve_inner(task, theta, lam) for task in self.tasks(case)]
        return torch.stack(found).numpy()

    def meta_grad(self, case, phi=None):
        """Return the mean of Λ (H + Λ)⁻¹ ∇Q over tasks, (P,)."""
        _, lam = self.centre(case)
        xs, _ = self.adjoints(case, phi)
        return (lam * xs).mean(dim=0).numpy()

    def lam_grad(self, case, phi=None):
        """Return dF/dλ, () or (P,)."""
        theta, _ = self.centre(case)
        xs, phi = self.adjoints(case, phi)
        entries = -(xs * (phi - theta)).mean(dim=0)
        return (entries if numel(case.lam) > 1 else entries.sum()).numpy()

    def unrolled_grad(self, case):
        """Return the gradient of mean Q(φ_K) through K steps of descent, (P,)."""
        alpha, steps = case.unrolled["step_size"], case.unrolled["steps"]
        total = 0.0
        tasks = self.tasks(case)
        for task in tasks:
            theta = tensor(case.theta).requires_grad_()
            phi = theta
            for _ in range(steps):
                loss = task.support_loss(phi)
                (g,) = torch.autograd.grad(loss, phi, create_graph=True)
                phi = phi - alpha * g
            total = total + torch.autograd.grad(task.query_loss(phi), theta)[0]
        return (total / len(tasks)).numpy()

    def outer_step(self, case, theta, state):
        """Return θ and the state after one step of case.outer."""
        g = tensor(self.meta_grad(case.at(theta)))
        theta, outer = tensor(theta), case.outer
        if outer["optimizer"] == "sgd":
            return (theta - outer["step_size"] * g).numpy(), state
        k, m, s = state or (0, torch.zeros_like(g), torch.zeros_like(g))
        k = k + 1
        m = outer["beta1"] * m + (1 - outer["beta1"]) * g
        s = outer["beta2"] * s + (1 - outer["beta2"]) * g**2
        m_hat = m / (1 - outer["beta1"] ** k)
        s_hat = s / (1 - outer["beta2"] ** k)
        theta = theta - outer["step_size"] * m_hat / (s_hat.sqrt() + outer["eps"])
        return theta.numpy(), (k, m, s)

    def adjoints(self, case, phi):
        """Return x_t and φ_t, (T, P) both, φ solved for unless given."""
        theta, lam = self.centre(case)
        given = phi is not None
        phi = tensor(phi if given else self.inner(case))
        xs = []
        for task, p in zip(self.tasks(case), phi, strict=True):
            if given:
                demand_solution(task, theta, lam, p)
            operator = damped(task, p, lam)
            xs.append(conjugate_gradients(operator, task.query_grad(p)))
        return torch.stack(xs), phi

    def tasks(self, case):
        """Return the tasks, those of all groups one after the other."""
        groups = getattr(case, "groups", None) or (case,)
        return [
            Task(case, group.inputs, t)
            for group in groups
            for t in range(len(group.inputs["support_x"]))
        ]

    def centre(self, case):
        """Return θ and λ for each parameter, (P,) both."""
        theta = tensor(case.theta)
        return theta, tensor(case.lam).expand(len(theta)).clone()

    def each(self, case, phi, f):
        """Return f(task, φ_t) for all tasks."""
        pairs = zip(self.tasks(case), tensor(phi), strict=True)
        return torch.stack([f(task, p) for task, p in pairs]).numpy()


def damped(task, phi, lam):
    """Return the product with H + Λ at φ."""
    hvp = task.hvp_at(phi)
    return lambda v: hvp(v) + lam * v


def numel(a):
    """Return how many numbers a holds."""
    return tensor(a).numel()


def demand_solution(task, theta, lam, phi):
    """Refuse a φ that is no minimum of the inner problem.

    Raises:
        NotStationaryError: If the gradient is not small beside its parts.
        NotPositiveDefiniteError: If H + Λ has a negative eigenvalue.
    """
    support, pull = task.grad(phi), lam * (phi - theta)
    left, scale = (support + pull).norm(), support.norm() + pull.norm()
    if left > 1e-6 * scale:
        raise NotStationaryError(f"‖∇G‖ = {float(left):.3g} beside {float(scale):.3g}")
    lowest = torch.linalg.eigvalsh(task.hessian(phi) + torch.diag(lam))[0]
    if lowest < 0:
        raise NotPositiveDefiniteError(f"an eigenvalue of H + Λ is {float(lowest):.3g}")
