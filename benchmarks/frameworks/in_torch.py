"""PyTorch: its routes to H v and G v."""

import torch
from torch import func
from torch.autograd import functional

from .cases import Framework
from .torch_algebra import ALGEBRA
from .torch_compiled import COMPILED
from .torch_layers import WEIGHTED
from .torch_losses import LOSSES
from .torch_more import MORE
from .torch_norms import NORMS

torch.set_num_threads(1)


def leaf(p):
    """Return a copy of p that is differentiated."""
    return p.detach().clone().requires_grad_()


def slope(f, p, keep=False):
    """Return ∇f at p by a sweep backwards, recorded if it is kept."""
    (found,) = torch.autograd.grad(f(p), p, create_graph=keep, allow_unused=True)
    return found


def grad_grad(f, p, v):
    """∇⟨∇f, v⟩, each by a sweep backwards."""
    p = leaf(p)
    first = slope(f, p, keep=True)
    return torch.autograd.grad(first @ v, p, allow_unused=True)[0]


def jvp_grad(f, p, v):
    """The tangent of the gradient."""
    return func.jvp(func.grad(f), (p,), (v,))[1]


def grad_jvp(f, p, v):
    """The gradient of the tangent."""
    return func.grad(lambda q: func.jvp(f, (q,), (v,))[1])(p)


def jacrev_jacrev(f, p, v):
    """H, backwards twice, with ``vmap``."""
    return func.jacrev(func.jacrev(f))(p) @ v


def jvp_vjp(z, p, v):
    """Jᵀ (2/n) J v, J v forwards."""
    z_dot = func.jvp(z, (p,), (v,))[1]
    return func.vjp(z, p)[1](2 / len(z_dot) * z_dot)[0]


def jvp_by_two_vjps(z, p, v):
    """Jᵀ (2/n) J v, J v as the derivative of Jᵀ u in u."""
    _, z_dot = functional.jvp(z, p, v)
    return functional.vjp(z, p, 2 / len(z_dot) * z_dot)[1]


class Torch(Framework):
    packages = ("torch",)
    cases = (*NORMS, *WEIGHTED, *MORE, *LOSSES, *ALGEBRA, *COMPILED)
    routes = {  # noqa: RUF012
        "grad(grad)": grad_grad,
        "func.jvp(grad)": jvp_grad,
        "func.grad(jvp)": grad_jvp,
        "func.hessian": lambda f, p, v: func.hessian(f)(p) @ v,
        "func.jacrev²": jacrev_jacrev,
        "functional.hvp": lambda f, p, v: functional.hvp(f, p, v)[1],
        "functional.vhp": lambda f, p, v: functional.vhp(f, p, v)[1],
        "functional.hessian": lambda f, p, v: functional.hessian(f, p) @ v,
    }
    gn_routes = {  # noqa: RUF012
        "G: func.jvp, vjp": jvp_vjp,
        "G: functional.jvp, vjp": jvp_by_two_vjps,
    }

    def array(self, values):
        return torch.tensor(values, dtype=torch.float64)

    def numpy(self, tensor):
        return tensor.detach().numpy()

    def gradient(self, f, p):
        return slope(f, leaf(p))


FRAMEWORK = Torch()
