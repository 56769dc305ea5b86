"""Equation (5) of docs/mathematics.md by autograd: a witness in PyTorch.

None of our layers, losses, products with H or solvers is in it; the Module, the loss
and the data come with the task (``conformance.adapter.Task``).
"""

import warnings

import torch
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

DESCENT_STEPS, SETTLED = 2000, 1e-6  # ‖∇f‖ at which Newton's method goes on
NEWTON_STEPS = 3


def loss_at(task, examples):
    """Return the loss on some examples as a function of a flat φ."""
    named = dict(task.model.named_parameters())
    sizes = [a.numel() for a in named.values()]

    def loss(phi):
        pieces = zip(named.items(), phi.split(sizes), strict=True)
        params = {name: piece.view_as(a) for (name, a), piece in pieces}
        return task.loss(
            functional_call(task.model, params, (examples[0],)), examples[1]
        )

    return loss


def flat(tree):
    """Return θ, φ or λ as a vector; a number stays one."""
    return parameters_to_vector(tree.values()) if isinstance(tree, dict) else tree


def slope_and_hessian(f, phi):
    """Return ∇f and ∇²f, one backward pass a row."""
    phi = phi.detach().requires_grad_()
    (slope,) = torch.autograd.grad(f(phi), phi, create_graph=True)
    rows = [torch.autograd.grad(s, phi, retain_graph=True)[0] for s in slope]
    return slope.detach(), torch.stack(rows)


def minimum(f, start, lam):
    """Return the minimum of f that small steps of descent reach, then Newton's.

    A quasi-Newton method will not do: its steps are long enough to cross a kink of the
    network, behind which there may be another minimum, or to stall at it.

    Args:
        f: What is minimised, of φ (P,).
        start: θ, (P,).
        lam: λ, a number or (P,): of steps of at most 0.1/λ, shorter where f rises.
    """
    phi, step = start.detach().clone(), 0.1 / float(torch.as_tensor(lam).max())
    value, slope = value_and_slope(f, phi)
    for _ in range(DESCENT_STEPS):
        if slope.norm() < SETTLED:
            break
        trial = phi - step * slope
        after, rest = value_and_slope(f, trial)
        if after > value - step * slope.dot(slope) / 4:
            step = step / 2
            continue
        phi, value, slope = trial, after, rest
    for _ in range(NEWTON_STEPS):
        slope, H = slope_and_hessian(f, phi)
        phi = phi - torch.linalg.solve(H, slope)
    return phi


def value_and_slope(f, phi):
    """Return f and ∇f."""
    phi = phi.detach().requires_grad_()
    value = f(phi)
    return value.detach(), torch.autograd.grad(value, phi)[0]


def solution(task):
    """Return the solution of (1), flat."""
    theta, lam, support = flat(task.theta), flat(task.lam), loss_at(task, task.support)

    def G(phi):
        return support(phi) + (lam * (phi - theta) ** 2).sum() / 2

    return minimum(G, theta, lam)


def lam_grad(task):
    """Return (7), −x (φ − θ) with (H + Λ) x = ∇Q: its sum for a number λ."""
    theta, lam = flat(task.theta), flat(task.lam)
    phi = (solution(task) if task.phi is None else flat(task.phi)).detach()
    _, H = slope_and_hessian(loss_at(task, task.support), phi)
    point = phi.clone().requires_grad_()
    (v,) = torch.autograd.grad(loss_at(task, task.query)(point), point)
    x = torch.linalg.solve(H + torch.diag(lam * torch.ones_like(phi)), v)
    each = -x * (phi - theta)
    return each.sum() if isinstance(lam, float) else each


def unrolled(task, steps, step_size):
    """Return the gradient of Q(φ_K) in θ = φ_0, by backpropagation through descent."""
    theta = flat(task.theta).clone().requires_grad_()
    support, phi = loss_at(task, task.support), theta
    for _ in range(steps):
        (slope,) = torch.autograd.grad(support(phi), phi, create_graph=True)
        phi = phi - step_size * slope
    return torch.autograd.grad(loss_at(task, task.query)(phi), theta)[0]


def implicit(task):
    """Return g = Λ (H + Λ)⁻¹ ∇Q, H = ∇²L, at φ or at the solution of (1)."""
    theta, lam = flat(task.theta), flat(task.lam)
    support, query = loss_at(task, task.support), loss_at(task, task.query)
    phi = flat(task.phi)
    phi = solution(task) if phi is None else phi
    slope, H = slope_and_hessian(support, phi)
    pull = lam * (phi - theta)
    if (slope + pull).norm() > 1e-6 * pull.norm():
        warnings.warn("φ is not stationary", stacklevel=2)
    A = H + torch.diag(lam * torch.ones_like(phi))
    if torch.linalg.eigvalsh(A)[0] <= 0:
        warnings.warn("H + Λ is not positive definite", stacklevel=2)
    point = phi.detach().requires_grad_()
    (v,) = torch.autograd.grad(query(point), point)
    return lam * torch.linalg.solve(A, v)
