"""hessian-eigenthings: its operators at L2, H by two methods, and G."""

import torch
from hessian_eigenthings.operators.ggn import GGNOperator
from hessian_eigenthings.operators.hessian import HessianOperator

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Variant

PACKAGES = ("hessian-eigenthings", "torch")


def flat(task, v):
    """Return tensors by name as a flat vector."""
    return torch.cat([v[name].reshape(-1) for name in task.theta])


def hessian_product(**settings):
    """Return a function (task, v) → H v by ``HessianOperator``."""

    def product(task, v):
        def loss(model, batch):
            return task.loss(model(batch[0]), batch[1])

        H = HessianOperator(task.model, [task.support], loss, **settings)
        return H.matvec(flat(task, v))

    return product


def gauss_newton_product(task, v):
    """Return G v by ``GGNOperator``."""
    G = GGNOperator(
        task.model,
        [task.support],
        lambda model, batch: model(batch[0]),
        lambda z, batch: task.loss(z, batch[1]),
    )
    return G.matvec(flat(task, v))


class Operators:
    """Its products."""

    def __init__(self, name, **settings):
        self.name = name
        self.adapter = from_torch(hvp=hessian_product(**settings))
        self.hvp = self.adapter.hvp

    def gnvp(self, case):
        return self.adapter.each(case, gauss_newton_product)


VARIANTS = {
    "tight": Variant(
        'HessianOperator(method="autograd"), GGNOperator',
        lambda: Operators("hessian-eigenthings"),
    ),
    "differences": Variant(
        'HessianOperator(method="finite_difference"), its step for float64, 6e-6',
        lambda: Operators(
            "hessian-eigenthings, differences", method="finite_difference"
        ),
    ),
}
