"""Cases of the kernels that convolve; see kernel_cases."""

from math import prod

import numpy as np

from imaml_ref.layers.ops import Window
from tests.machines.kernel_cases_images import windows_of
from tests.machines.kernel_maker import each

FACTORS = ("mu", "rho", "rho_dot", "a", "a_dot")


def convolution(
    make, arrays, tasks, examples, height, width, channels, window, filters, below=0
):
    """Return the arguments of a kernel whose arrays are named, "x+" to be read.

    Windows find so many rows of zeros below the images.
    """
    ints = windows_of(examples, height + below, width, channels, window)
    ints["examples"] = ints.pop("images")
    ints |= {"height": height, "tasks": tasks, "filters": filters}
    rows = examples * ints["out_height"] * ints["out_width"]
    length = prod(window.size) * channels * filters
    shapes = dict.fromkeys(("x", "x_dot"), (examples, height, width, channels))
    shapes |= dict.fromkeys(("W", "W_dot", "W_bar", "W_bar_dot"), (length + 3,))
    shapes |= dict.fromkeys(FACTORS, (filters,))
    shapes |= dict.fromkeys(("gamma", "beta", "gamma_dot", "beta_dot"), (length + 3,))
    for name in arrays.split():
        read = name.endswith("+")
        shape = shapes.get(name.rstrip("+"), (rows, filters))
        ints[name.rstrip("+")] = (make.normal if read else make.unwritten)(
            tasks, *shape
        )
    return ints | {"param_task": length + 3}


def conv_bn_relu(make, **sizes):
    arrays = "x+ W+ gamma+ beta+ c rho a y"
    return convolution(make, arrays, **sizes) | {"eps": 1e-2}


def conv_bn_relu_jvp(make, **sizes):
    arrays = (
        "x_dot+ W+ x+ W_dot+ y+ c+ rho+ a+ gamma+ gamma_dot+ beta_dot+ "
        "Z_dot mu rho_dot a_dot y_dot"
    )
    given = convolution(make, arrays, **sizes)
    return given | {"y": np.maximum(given["y"], 0), "rho": np.abs(given["rho"])}


def conv_vjp(make, **sizes):
    return convolution(make, "x+ Z_bar+ W_bar", **sizes)


def conv_vjp_dot(make, **sizes):
    return convolution(make, "x_dot+ Z_bar+ x+ Z_bar_dot+ W_bar_dot", **sizes)


FEW = {
    "tasks": 2,
    "examples": 3,
    "height": 6,
    "width": 5,
    "channels": 12,
    "window": Window((3, 2), (2, 1), (1, 0)),
    "filters": 19,
}
MANY = FEW | {
    "examples": 5,
    "height": 7,
    "window": Window((2, 3), (1, 1), (0, 1)),
    "filters": 33,
    "below": 2,
}
# As many channels as are brought at a time, or a multiple.
WIDE = FEW | {"channels": 64, "examples": 1, "height": 4, "width": 3}
# Enough of everything for the large tiles of a product.
LARGE = FEW | {"tasks": 67, "examples": 1, "channels": 8, "filters": 61}


def kernels(way):
    """Return the cases of the kernels that multiply in some way."""
    rowwise, tiled = [FEW, MANY, WIDE], [FEW, MANY, LARGE]
    return {
        f"conv_bn_relu{way}": each(conv_bn_relu, rowwise),
        f"conv_bn_relu_jvp{way}": each(conv_bn_relu_jvp, rowwise),
        f"conv_vjp{way}": each(conv_vjp, tiled),
        f"conv_vjp_dot{way}": each(conv_vjp_dot, tiled),
    }


CASES = kernels("") | kernels("_tf32") | kernels("_3xtf32")
