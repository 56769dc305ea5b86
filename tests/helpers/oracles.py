"""Slow and obvious: loops and dense matrices, to compare the fast code with."""

import itertools

import numpy as np


def convolution(x, kernel, bias, stride, padding):
    """Correlate (T, N, H, W, C) with (T, kh, kw, C, D), written as the sum it is."""
    tasks, examples, height, width, _ = x.shape
    _, kh, kw, channels, filters = kernel.shape
    rows = (height + 2 * padding[0] - kh) // stride[0] + 1
    columns = (width + 2 * padding[1] - kw) // stride[1] + 1
    y = np.zeros((tasks, examples, rows, columns, filters), x.dtype)
    for t, n, i, j, d in np.ndindex(y.shape):
        y[t, n, i, j, d] = bias[t, d]
        for a, b, c in np.ndindex(kh, kw, channels):
            h, w = stride[0] * i + a - padding[0], stride[1] * j + b - padding[1]
            if 0 <= h < height and 0 <= w < width:
                y[t, n, i, j, d] += x[t, n, h, w, c] * kernel[t, a, b, c, d]
    return y


def patches(x, size, stride, padding):
    """Return the windows of (T, N, H, W, C) as rows, entry by entry."""
    tasks, examples, height, width, channels = x.shape
    rows = (height + 2 * padding[0] - size[0]) // stride[0] + 1
    columns = (width + 2 * padding[1] - size[1]) // stride[1] + 1
    out = np.zeros((tasks, examples, rows, columns, *size, channels), x.dtype)
    for t, n, i, j, a, b, c in np.ndindex(out.shape):
        h, w = stride[0] * i + a - padding[0], stride[1] * j + b - padding[1]
        if 0 <= h < height and 0 <= w < width:
            out[t, n, i, j, a, b, c] = x[t, n, h, w, c]
    return out.reshape(tasks, examples * rows * columns, -1)


def pooled(x, window, reduce):
    """Reduce each window of (T, N, H, W, C) by a function of a list of numbers."""
    kh, kw = window
    tasks, examples, height, width, channels = x.shape
    y = np.empty((tasks, examples, height // kh, width // kw, channels), x.dtype)
    for t, n, i, j, c in np.ndindex(y.shape):
        rows, columns = range(i * kh, (i + 1) * kh), range(j * kw, (j + 1) * kw)
        places = itertools.product(rows, columns)
        y[t, n, i, j, c] = reduce([x[t, n, h, w, c] for h, w in places])
    return y


def batch_norm(x, gamma, beta, eps):
    """Normalise each task and channel alone, from its list of numbers."""
    y = np.empty_like(x)
    for t, c in np.ndindex(len(x), x.shape[-1]):
        numbers = x[t, ..., c]
        spread = ((numbers - numbers.mean()) ** 2).mean()
        y[t, ..., c] = gamma[t, c] * (numbers - numbers.mean()) / np.sqrt(spread + eps)
        y[t, ..., c] += beta[t, c]
    return y


def normalised(x, sets, gamma, beta, eps):
    """Normalise each set of entries alone, from its list of numbers.

    Args:
        x: (T, N, ...).
        sets: For one example, (...): the number of the set that each entry is in.
        gamma: γ, (T, ...), as the last axes of x; beta alike.
        beta: β.
        eps: ε.
    """
    y = np.empty_like(x)
    for t, n in np.ndindex(x.shape[:2]):
        for number in np.unique(sets):
            numbers = x[t, n][sets == number]
            spread = ((numbers - numbers.mean()) ** 2).mean()
            y[t, n][sets == number] = (numbers - numbers.mean()) / np.sqrt(spread + eps)
        y[t, n] = gamma[t] * y[t, n] + beta[t]
    return y


def task_norm(x, gamma, beta, eps, *, support, alpha):
    """Blend the moments of the support set and of each image, from lists of numbers."""
    y = np.empty_like(x)
    for t, n, c in np.ndindex(*x.shape[:2], x.shape[-1]):
        lists, shares = (x[t, :support, ..., c], x[t, n, ..., c]), (alpha, 1 - alpha)
        means = [numbers.mean() for numbers in lists]
        mu = sum(share * m for share, m in zip(shares, means, strict=True))
        spread = sum(
            share * (((numbers - m) ** 2).mean() + (m - mu) ** 2)
            for share, numbers, m in zip(shares, lists, means, strict=True)
        )
        y[t, n, ..., c] = gamma[t, c] * (lists[1] - mu) / np.sqrt(spread + eps)
        y[t, n, ..., c] += beta[t, c]
    return y


def cross_entropy(z, y):
    """Return −mean_n log(e^{z_n[y_n]} / Σ e^{z_n}), (T,), example by example."""
    tasks, examples, _ = z.shape
    value = np.zeros(tasks, z.dtype)
    for t, n in np.ndindex(tasks, examples):
        p = np.exp(z[t, n]) / np.exp(z[t, n]).sum()
        value[t] -= np.log(p[y[t, n]]) / examples
    return value


def dense(operator, phi):
    """Return the matrices (T, P, P) of a linear map on (T, P), column by column."""
    columns = [
        operator(np.broadcast_to(column, phi.shape)) for column in np.eye(phi.shape[1])
    ]
    return np.stack(columns, axis=-1)


def jacobian(f, phi, step=1e-30):
    """Return ∂f/∂φ, the axis of φ last, of f: (T, P) -> (T, ...)."""
    columns = [f(phi + 1j * step * e).imag / step for e in np.eye(phi.shape[1])]
    return np.stack(columns, axis=-1)
