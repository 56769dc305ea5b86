"""GBML: ``cg`` of its iMAML at L3 and L4.

Its class builds a network on a GPU; here it is made without ``__init__`` and given the
network of the case.
"""

import torch
from gbml.imaml import iMAML

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant

PACKAGES = ("higher", "torch")


class Stopped(iMAML):
    """Its iMAML with a loop of ours that stops at ‖r‖ ≤ 1e-15 ‖b‖: a control."""

    def cg(self, in_grad, outer_grad, params):
        x = outer_grad.clone()
        r = outer_grad - self.hv_prod(in_grad, x, params)
        p, limit = r, 1e-30 * outer_grad @ outer_grad
        for _ in range(self.n_cg):
            if r @ r <= limit:
                break
            Ap = self.hv_prod(in_grad, p, params)
            length = (r @ r) / (p @ Ap)
            x, before, r = x + length * p, r, r - length * Ap
            p = r + (r @ r) / (before @ before) * p
        return self.vec_to_grad(x)


def learner(kind, network, lam, steps):
    """Return its iMAML around a network, with ``n_cg`` steps."""
    found = object.__new__(kind)
    found.network, found.lamb, found.n_cg = network, lam, steps
    return found


def gradient_by(kind, steps):
    """Return a function of a task: ``cg`` at the φ that is given."""

    def meta_grad(task):
        if task.phi is None:
            raise NotImplementedError("its inner loop has no proximal term")
        if isinstance(task.lam, dict):
            raise NotImplementedError("its λ is a number")
        params = list(task.model.parameters())
        gradients = []
        for (x, y), kept in ((task.support, True), (task.query, False)):
            loss = task.loss(task.model(x), y)
            found = torch.autograd.grad(loss, params, create_graph=kept)
            gradients.append(torch.nn.utils.parameters_to_vector(found))
        size = len(gradients[0])
        return learner(kind, task.model, task.lam, steps(size)).cg(*gradients, params)

    return meta_grad


def solve_by(kind, steps):
    """Return a function (A, b) → x: its ``cg`` with I + H/λ = A, λ = 1."""

    def solve(A, b):
        x = torch.zeros_like(b).requires_grad_()
        H = A - torch.eye(len(b), dtype=b.dtype)
        network = torch.nn.ParameterList([x])
        found = learner(kind, network, 1.0, steps(len(b))).cg(H @ x, b, [x])
        return found[0]

    return solve


def variant(name, text, steps, kind=iMAML):
    """Return a variant with a number of steps of CG."""

    def make():
        adapter = from_torch(
            meta_grad=gradient_by(kind, steps), solve=solve_by(kind, steps)
        )
        return Only(adapter, ("solve", "meta_grad"), name)

    return Variant(text, make)


VARIANTS = {
    "tight": variant("GBML iMAML", "cg, lamb=λ, n_cg=n", lambda n: n),
    "shipped": variant("GBML iMAML, as shipped", "cg, lamb=λ, n_cg=1", lambda n: 1),
    "control": variant(
        "GBML iMAML, control",
        "as tight, cg replaced by one of ours: at most 10 n steps, stopped at "
        "1e-15 ‖b‖",
        lambda n: 10 * n,
        Stopped,
    ),
}
