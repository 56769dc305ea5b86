"""kfac-jax: ``ImplicitExactCurvature`` at L2, products with H and with G."""

import jax
import kfac_jax

from imaml_ref.conformance.from_jax import from_jax

from .subjects import Variant

PACKAGES = ("kfac-jax", "jax", "jaxlib")


def curvature(task):
    """Return its curvature of L; its squared error has no ½, hence the weight."""

    def func(params, batch):
        x, y = batch
        z = task.model(params, x)
        if y.ndim > 1:
            kfac_jax.register_squared_error_loss(z, y, weight=0.5)
        else:
            kfac_jax.register_softmax_cross_entropy_loss(z, y)
        return task.loss(z, y)

    return kfac_jax.ImplicitExactCurvature(func)


def product(name):
    """Return a function (task, v) → a product, by the name of its method."""

    def multiply(task, v):
        method = getattr(curvature(task), name)
        return jax.jit(lambda phi, v: method((phi, task.support), v))(task.phi, v)

    return multiply


class Products:
    """Its products; the one with the Fisher matrix is asked as G for cross-entropy."""

    def __init__(self, name, gauss_newton="multiply_ggn"):
        self.name = name
        self.hvp = from_jax(hvp=product("multiply_hessian")).hvp
        self.gnvp = from_jax(hvp=product(gauss_newton)).hvp


VARIANTS = {
    "tight": Variant(
        "multiply_hessian, multiply_ggn",
        lambda: Products("kfac-jax"),
    ),
}
