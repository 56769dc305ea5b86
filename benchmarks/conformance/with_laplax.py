"""laplax: ``create_hessian_mv`` and ``create_ggn_mv`` at L2.

With a loss by name laplax sums over examples; ``num_total_samples=1`` makes it a mean.
Its squared error is ‖z − y‖², twice ours.
"""

import jax
from laplax.curv.ggn import create_ggn_mv
from laplax.curv.hessian import create_hessian_mv

from imaml_ref.conformance.from_jax import from_jax

from .subjects import Variant

PACKAGES = ("laplax", "jax", "jaxlib")


def custom(make):
    """Return a function (task, v) → a product, the loss given as a function."""

    def product(task, v):
        x, y = task.support
        multiply = make(
            lambda input, params: task.model(params, input),
            task.phi,
            {"input": x, "target": y},
            task.loss,
            vmap_over_data=False,
        )
        return jax.jit(multiply)(v)

    return product


def named(make):
    """Return a function (task, v) → a product, the loss given by its name."""

    def product(task, v):
        if any("scale" in layer for layer in task.phi.values()):
            raise NotImplementedError("batch normalisation is not one by one")
        x, y = task.support
        squared = y.ndim > 1
        multiply = make(
            lambda input, params: task.model(params, input[None])[0],
            task.phi,
            {"input": x, "target": y},
            "mse" if squared else "cross_entropy",
            num_total_samples=1,
        )
        scale = 0.5 if squared else 1.0
        return jax.tree.map(lambda a: scale * a, jax.jit(multiply)(v))

    return product


class Products:
    """Its products with H and G."""

    def __init__(self, name, ways):
        self.name = name
        self.hvp = from_jax(hvp=ways(create_hessian_mv)).hvp
        self.gnvp = from_jax(hvp=ways(create_ggn_mv)).hvp


VARIANTS = {
    "tight": Variant(
        "create_hessian_mv, create_ggn_mv, loss a function of the batch, "
        "vmap_over_data=False",
        lambda: Products("laplax", custom),
    ),
    "named": Variant(
        'create_hessian_mv, create_ggn_mv, loss "mse" or "cross_entropy", '
        "vmap_over_data=True, networks without batch normalisation",
        lambda: Products("laplax, losses by name", named),
    ),
}
