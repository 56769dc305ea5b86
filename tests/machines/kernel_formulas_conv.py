"""Formulas of the kernels that convolve: patches, a product, and what follows."""

from types import SimpleNamespace

import numpy as np

from tests.machines import kernel_formulas_images as images
from tests.machines.kernel_views import entries, shaped


def convolutions(bn_relu, bn_relu_jvp):
    """Return the formulas by name.

    Args:
        bn_relu: The formula of batch normalisation and ReLU.
        bn_relu_jvp: That of their tangent.
    """

    def conv_bn_relu(o):
        Z = patches(o, o.x) @ kernel(o, o.W)
        bn_relu(SimpleNamespace(**vars(o) | normalised(o) | {"Z": Z}))

    def conv_bn_relu_jvp(o):
        shaped(o.Z_dot, o.tasks, -1, o.filters)[...] = patches(o, o.x_dot) @ kernel(
            o, o.W
        ) + patches(o, o.x) @ kernel(o, o.W_dot)
        bn_relu_jvp(SimpleNamespace(**vars(o) | normalised(o)))

    def conv_vjp(o):
        kernel(o, o.W_bar)[...] = patches(o, o.x).mT @ rows(o, o.Z_bar)

    def conv_vjp_dot(o):
        kernel(o, o.W_bar_dot)[...] = patches(o, o.x_dot).mT @ rows(o, o.Z_bar)
        kernel(o, o.W_bar_dot)[...] += patches(o, o.x).mT @ rows(o, o.Z_bar_dot)

    found = (conv_bn_relu, conv_bn_relu_jvp, conv_vjp, conv_vjp_dot)
    return {formula.__name__: formula for formula in found}


def normalised(o):
    """Return what the formulas of batch normalisation know rows and channels as."""
    rows = o.examples * o.out_height * o.out_width
    return {"rows": rows, "channels": o.filters}


def patches(o, x):
    """Return X (T, R, K)."""
    rows = o.tasks, o.examples * o.out_height * o.out_width
    X = np.empty((*rows, o.size_h * o.size_w * o.channels), x.dtype)
    of_all = {"images": o.tasks * o.examples, "x": x, "X": X}
    images.patches(SimpleNamespace(**vars(o) | of_all))
    return X


def kernel(o, W):
    """View a kernel as a matrix of each task."""
    shape = o.tasks, o.size_h * o.size_w * o.channels, o.filters
    return entries(W, shape, (o.param_task, o.filters, 1))


def rows(o, Z):
    return shaped(Z, o.tasks, -1, o.filters)
