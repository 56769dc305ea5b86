"""PyTorch itself: H v at L2 by its ways of differentiating twice.

reverse over reverse    torch.func.vjp of torch.func.grad
forward over reverse    torch.func.jvp of torch.func.grad
reverse over forward    torch.func.grad of torch.func.jvp
"""

import torch

from imaml_ref.conformance.from_torch import from_torch, module_of

from .subjects import Only, Variant
from .torch_problem import Problem

PACKAGES = ("torch",)


def reverse_over_reverse(f, phi, v):
    """Return H v."""
    _, pull = torch.func.vjp(torch.func.grad(f), phi)
    return pull(v)[0]


def forward_over_reverse(f, phi, v):
    """Return H v."""
    return torch.func.jvp(torch.func.grad(f), (phi,), (v,))[1]


def forward_over_jacobian(f, phi, v):
    """Return H v as above, the gradient by ``jacrev``, which maps over a basis."""
    return torch.func.jvp(torch.func.jacrev(f), (phi,), (v,))[1]


def reverse_over_forward(f, phi, v):
    """Return H v."""
    return torch.func.grad(lambda p: torch.func.jvp(f, (p,), (v,))[1])(phi)


def product(way):
    """Return a function (task, v) → H v by name."""

    def hvp(task, v):
        problem = Problem(task)
        phi = tuple(a.detach() for a in problem.given)
        along = tuple(v[name] for name in problem.names)
        found = way(lambda p: problem.loss(p, task.support), phi, along)
        return dict(zip(problem.names, found, strict=True))

    return hvp


class SpelledOut(torch.nn.Module):
    """Batch normalisation in elementary operations: a control."""

    def __init__(self, norm):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x):
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        scaled = (x - mean) / (variance + self.eps).sqrt()
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


def spelled_out(case):
    """Return the network of a case without ``torch.nn.BatchNorm2d``."""
    module = module_of(case)
    for name, layer in module.named_children():
        if isinstance(layer, torch.nn.BatchNorm2d):
            setattr(module, name, SpelledOut(layer))
    return module


def variant(name, settings, way, build=None):
    """Return a variant with a way of differentiating twice."""
    name, methods = f"PyTorch, {name}", ("loss", "grad", "hvp")
    return Variant(
        settings, lambda: Only(from_torch(build, hvp=product(way)), methods, name)
    )


VARIANTS = {
    "reverse-reverse": variant(
        "reverse over reverse", "vjp of grad", reverse_over_reverse
    ),
    "forward-reverse": variant(
        "forward over reverse", "jvp of grad", forward_over_reverse
    ),
    "forward-jacobian": variant(
        "forward over jacrev", "jvp of jacrev", forward_over_jacobian
    ),
    "forward-jacobian-control": variant(
        "forward over jacrev, control",
        "jvp of jacrev; batch normalisation in elementary operations",
        forward_over_jacobian,
        spelled_out,
    ),
    "reverse-forward": variant(
        "reverse over forward", "grad of jvp", reverse_over_forward
    ),
    "reverse-forward-control": variant(
        "reverse over forward, control",
        "grad of jvp; batch normalisation in elementary operations",
        reverse_over_forward,
        spelled_out,
    ),
}
