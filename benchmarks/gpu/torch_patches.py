"""The net of the released code in PyTorch as products with the matrix of patches.

With ``vmap`` over tasks, each with a kernel of its own, a convolution is one of many
groups; a product of two matrices is one of a batch, which a card is better at.
Parameters are those of imaml_ref, those of the convolutions' biases left out: the
normalisation that follows takes the mean away, and their gradient is zero.
"""

import numpy as np
import torch
from torch.nn import functional as F

from ..shared.problem import PER_TASK, Problem
from ..shared.torch_net import layout


def names(ways: int) -> list[str]:
    """Return the names of the parameters, in their order."""
    known = layout(ways).names
    return [n for n in known if not (n.startswith("conv") and n.endswith("bias"))]


def logits(params, x):
    """Return the outputs (N, ways) for the patches of the images, (N, 14, 14, 9)."""
    *blocks, kernel, bias = params
    for block in range(4):
        W, gamma, beta = blocks[3 * block : 3 * block + 3]
        x = x if block == 0 else patches(x)
        *places, entries = x.shape
        x = normalised(x.reshape(-1, entries) @ W.reshape(entries, -1))
        x = F.relu(x * gamma + beta).reshape(*places, -1)
        x = F.pad(x, (0, 0, 0, 1, 0, 1)) if block == 1 else x
    return x.reshape(x.shape[0], -1) @ kernel + bias


def normalised(z):
    """Return z (rows, C) without its mean, over its deviation, for each channel."""
    c = z - z.mean(0)
    return c * torch.rsqrt((c * c).mean(0) + 1e-5)


def patches(x):
    """Return the 3 × 3 patches at stride 2 of (N, H, W, C), (N, H/2, W/2, 9 C)."""
    height, width = (x.shape[-3] + 1) // 2, (x.shape[-2] + 1) // 2
    x = F.pad(x, (0, 0, 1, 1, 1, 1))
    return torch.cat(
        [
            x[..., i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2, :]
            for i in range(3)
            for j in range(3)
        ],
        -1,
    )


def loss(params, X, y):
    """Return the mean cross-entropy of a task."""
    return F.cross_entropy(logits(params, X), y)


def data(problem: Problem):
    """Return patches and labels of support and query sets, on the host."""
    found = [torch.from_numpy(getattr(problem, name)) for name in PER_TASK]
    return [patches(a) if a.is_floating_point() else a for a in found]


def theirs(problem: Problem) -> list[torch.Tensor]:
    """Return θ as tensors on the host."""
    named = layout(problem.ways).unpack(problem.theta)
    return [torch.from_numpy(named[name].copy()) for name in names(problem.ways)]


def ours(ways: int, tensors) -> np.ndarray:
    """Return tensors (..., *shape) as arrays (..., P) in the layout of imaml_ref."""
    known = layout(ways)
    arrays = dict(zip(names(ways), (t.numpy() for t in tensors), strict=True))
    first = arrays["head.bias"]
    for name, shape in zip(known.names, known.shapes, strict=True):
        zeros = np.zeros((*first.shape[:-1], *shape), first.dtype)
        arrays.setdefault(name, zeros)
    return known.pack({name: arrays[name] for name in known.names})
