"""PyHessian: ``hessian.dataloader_hv_product`` at L2."""

import pyhessian

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant

PACKAGES = ("pyhessian", "torch")


def product(batches):
    """Return a function (task, v) → H v, the support set in so many batches."""

    def hvp(task, v):
        x, y = task.support
        parts = list(zip(x.tensor_split(batches), y.tensor_split(batches), strict=True))
        H = pyhessian.hessian(task.model, task.loss, dataloader=parts, cuda=False)
        return H.dataloader_hv_product([v[name] for name in task.theta])[1]

    return hvp


VARIANTS = {
    "tight": Variant(
        "hessian(cuda=False).dataloader_hv_product, one batch",
        lambda: Only(from_torch(hvp=product(1)), ("hvp",), "PyHessian"),
    ),
}
