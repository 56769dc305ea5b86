"""Formulas of the kernels that know images: windows, pooling; and the loss."""

import numpy as np

from tests.machines.kernel_views import shaped

# Patches (1) and their adjoint (2) of ops.


def image(o, name):
    return shaped(getattr(o, name), o.images, o.height, o.width, o.channels)


def met(offset, stride, number, size):
    """Slice the windows that meet a pixel in an entry, and these pixels.

    Args:
        offset: Of the entry from the first pixel, in the first of all windows.
        stride: From window to window.
        number: Of windows.
        size: Of the image.
    """
    first = min(number, max(0, -(offset // stride)))
    end = max(first, min(number, -((offset - size) // stride)))
    pixels = slice(offset + first * stride, offset + end * stride, stride)
    return slice(first, end), pixels if end > first else slice(0)


def taps(o, X):
    """Yield entry (a, b) of all windows that meet a pixel in it, and these pixels."""
    sizes = (o.images, o.out_height, o.out_width, o.size_h, o.size_w, o.channels)
    X = shaped(X, *sizes)
    for a in range(o.size_h):
        i, h = met(a - o.pad_h, o.stride_h, o.out_height, o.height)
        for b in range(o.size_w):
            j, w = met(b - o.pad_w, o.stride_w, o.out_width, o.width)
            yield X[:, i, j, a, b], (slice(None), h, w)


def patches(o):
    x, o.X[...] = image(o, "x"), 0
    for entry, pixels in taps(o, o.X):
        entry[...] = x[pixels]  # (1)


def patches_adjoint(o):
    x_bar = image(o, "x_bar")
    x_bar[...] = 0
    for entry, pixels in taps(o, o.X_bar):
        x_bar[pixels] += entry  # (2)


# Pooling: the winner of a window is the first of its largest entries.


def pooled(o, name):
    return shaped(getattr(o, name), o.images, o.out_height, o.out_width, o.channels)


def entries_of_windows(o, x):
    """View the windows of images: entry (a, b) of all of them, for each a and b."""
    rows, columns = o.out_height * o.size_h, o.out_width * o.size_w
    return [
        x[:, a : rows : o.size_h, b : columns : o.size_w]
        for a in range(o.size_h)
        for b in range(o.size_w)
    ]


def max_pool(o):
    x_k, winner = entries_of_windows(o, image(o, "x")), pooled(o, "winner")
    winner[...] = np.argmax(x_k, 0)
    pooled(o, "y")[...] = np.choose(winner, x_k)


def max_pool_jvp(o):
    x_k_dot = entries_of_windows(o, image(o, "x_dot"))
    pooled(o, "y_dot")[...] = np.choose(pooled(o, "winner"), x_k_dot)  # (3)


def max_pool_vjp(o):
    x_bar, y_bar, winner = image(o, "x_bar"), pooled(o, "y_bar"), pooled(o, "winner")
    x_bar[...] = 0
    for k, x_k_bar in enumerate(entries_of_windows(o, x_bar)):
        x_k_bar[...] = np.where(winner == k, y_bar, 0)  # (3)


# The cross-entropy of losses, a mean over the N rows of a task.


def outputs(o, *names):
    return (shaped(getattr(o, n), o.tasks, o.rows, o.classes) for n in names)


def cross_entropy(o):
    z, p, z_bar = outputs(o, "z", "probs", "z_bar")
    labels = shaped(o.labels, o.tasks, o.rows)
    e_y = (labels[..., None] == np.arange(o.classes)).astype(z.dtype)
    e_y[(labels < 0) | (labels >= o.classes)] = np.nan  # a label that is no class
    o.hits[...] = (z.argmax(-1) == labels).sum(-1)
    best = z.argmax(-1)[..., None] == np.arange(o.classes)
    exp_z = np.exp(z - z.max(-1, keepdims=True))
    others = np.where(best, 0, exp_z).sum(-1, keepdims=True)
    p[...] = exp_z / (1 + others)
    of_label = (e_y * (z - z.max(-1, keepdims=True))).sum(-1)
    o.value[...] = (np.log1p(others[..., 0]) - of_label).mean(-1)  # (1)
    gap = np.where(best, 1 - e_y - others / (1 + others), p - e_y)
    z_bar[...] = gap / o.rows  # (2)


def cross_entropy_hvp(o):
    p, z_dot, z_bar_dot = outputs(o, "probs", "z_dot", "z_bar_dot")
    best = p.argmax(-1)[..., None]
    z_dot = z_dot - np.take_along_axis(z_dot, best, -1)  # a constant changes nothing
    z_bar_dot[...] = p * (z_dot - (p * z_dot).sum(-1, keepdims=True)) / o.rows  # (3)


FORMULAS = (
    patches,
    patches_adjoint,
    max_pool,
    max_pool_jvp,
    max_pool_vjp,
    cross_entropy,
    cross_entropy_hvp,
)
