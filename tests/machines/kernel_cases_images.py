"""Cases of the kernels that know images, and of the loss; see kernel_cases."""

from itertools import product

import numpy as np

from imaml_ref.layers.ops import Window
from tests.machines.kernel_maker import each


def windows_of(images, height, width, channels, window):
    """Return the integer arguments of patches."""
    counts = window.counts(height, width)
    pairs = {"size": window.size, "stride": window.stride, "pad": window.padding}
    given = {"images": images, "height": height, "width": width, "channels": channels}
    given |= {"out_height": counts[0], "out_width": counts[1]}
    return given | {
        f"{name}_{along}": pair[axis]
        for name, pair in pairs.items()
        for axis, along in enumerate("hw")
    }


def patches(make, channels, window, more=0):
    images, height, width = 3, 7, 6
    ints = windows_of(images, height + more, width, channels, window)
    # As if a frame lay below: windows may leave the image there too.
    ints["height"] = height
    x = make.normal(images, height, width, channels)
    counts = (ints["out_height"], ints["out_width"])
    X = make.unwritten(images, *counts, *window.size, channels)
    return {"x": x, "X": X, **ints}


def patches_adjoint(make, channels, window, more=0):
    given = patches(make, channels, window, more)
    x_bar, X = make.unwritten(*given.pop("x").shape), given.pop("X")
    return {"X_bar": make.normal(*X.shape), "x_bar": x_bar, **given}


WINDOWS = [
    (Window((3, 2), (2, 1), (1, 0)), 0),
    (Window((2, 3), (1, 3), (0, 2)), 0),
    (Window((1, 2), (2, 3), (0, 0)), 0),  # pixels in no window
    (Window((3, 3), (2, 2), (1, 1)), 1),
]
PATCHES = [
    {"channels": channels, "window": window, "more": more}
    for channels, (window, more) in product((3, 8), WINDOWS)
]


def pool(make, size, dtype=None):
    images, height, width, channels = 2, 7, 9, 5
    ints = {"images": images, "height": height, "width": width, "channels": channels}
    counts = {"out_height": height // size[0], "out_width": width // size[1]}
    return ints | counts | {"size_h": size[0], "size_w": size[1]}


def image(ints):
    return ints["images"], ints["height"], ints["width"], ints["channels"]


def pooled(ints):
    return ints["images"], ints["out_height"], ints["out_width"], ints["channels"]


def max_pool(make, size):
    ints = pool(make, size)
    # Half the entries are equal: the first of them wins.
    x = np.maximum(make.normal(*image(ints)), 0)
    x[0, 1, 2, 3] = np.nan
    y, winner = make.unwritten(*pooled(ints)), make.unwritten_ints(*pooled(ints))
    return {"x": x, "y": y, "winner": winner, **ints}


def winners(make, ints):
    return make.ints(ints["size_h"] * ints["size_w"], *pooled(ints))


def max_pool_jvp(make, size):
    ints = pool(make, size)
    arrays = {"x_dot": make.normal(*image(ints)), "winner": winners(make, ints)}
    return arrays | {"y_dot": make.unwritten(*pooled(ints))} | ints


def max_pool_vjp(make, size):
    ints = pool(make, size)
    arrays = {"y_bar": make.normal(*pooled(ints)), "winner": winners(make, ints)}
    return arrays | {"x_bar": make.unwritten(*image(ints))} | ints


POOLS = [{"size": (2, 3)}, {"size": (3, 2)}, {"size": (1, 4)}]


def cross_entropy(make, tasks, rows, classes):
    shape = (tasks, rows, classes)
    z = make.normal(*shape)
    z[0, 1] = z[0, 1, 0]  # the first of equals is the answer
    z[1, 0] += 1000  # exp of this alone would overflow
    z[1, 1, 2] += 20  # p rounds to 1 in float32
    labels = make.ints(classes, tasks, rows, dtype="int64")
    labels[0, 1] = 0
    if tasks > 4:
        labels[2, 5], labels[3, 6] = classes, -1  # no classes
        z[4, 7, 3] = np.nan
    names = {"value": (tasks,), "probs": shape, "z_bar": shape, "hits": (tasks,)}
    written = {name: make.unwritten(*s) for name, s in names.items()}
    sizes = {"tasks": tasks, "rows": rows, "classes": classes}
    return {"z": z, "labels": labels, **written, **sizes}


def cross_entropy_hvp(make, tasks, rows, classes):
    probs = make.positive(tasks, rows, classes)
    arrays = {"probs": probs / probs.sum(-1, keepdims=True)}
    arrays["z_dot"] = make.normal(tasks, rows, classes)
    arrays["z_bar_dot"] = make.unwritten(tasks, rows, classes)
    return {**arrays, "tasks": tasks, "rows": rows, "classes": classes}


OUTPUTS = [
    {"tasks": 2, "rows": 3, "classes": 5},
    {"tasks": 5, "rows": 150, "classes": 7},
]

CASES = {
    "patches": each(patches, PATCHES),
    "patches_adjoint": each(patches_adjoint, PATCHES),
    "max_pool": each(max_pool, POOLS),
    "max_pool_jvp": each(max_pool_jvp, POOLS),
    "max_pool_vjp": each(max_pool_vjp, POOLS),
    "cross_entropy": each(cross_entropy, OUTPUTS),
    "cross_entropy_hvp": each(cross_entropy_hvp, OUTPUTS),
}
