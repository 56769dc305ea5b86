"""The net of the released code in PyTorch, a function of a list of its parameters."""

import numpy as np
import torch
from torch.nn import functional as F

import imaml_ref as ir

from .problem import Contender, Problem

FEATURES = (2, 2, 64)  # of the last block, (H, W, C) with imaml_ref


def logits(params, x):
    """Return the outputs (N, ways) for images (N, 1, 28, 28)."""
    *blocks, kernel, bias = params
    for block in range(4):
        weight, offset, gamma, beta = blocks[4 * block : 4 * block + 4]
        x = F.conv2d(x, weight, offset, stride=2, padding=1)
        x = F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)
        x = F.relu(x)
        x = F.pad(x, (0, 1, 0, 1)) if block == 1 else x
    return F.linear(x.flatten(1), kernel, bias)


def loss(params, x, y):
    """Return the mean cross-entropy of a task."""
    return F.cross_entropy(logits(params, x), y)


def pull(params, theta, lam):
    """Return the proximal term ½ λ ‖φ − θ‖²."""
    return (
        sum(((p - t) ** 2).sum() for p, t in zip(params, theta, strict=True)) / 2 * lam
    )


def data(problem: Problem):
    """Return support x, y and query x, y as tensors, images (T, N, 1, 28, 28)."""
    arrays = problem.support_x, problem.query_x
    # One channel: a reshape, and no strides that PyTorch takes for channels last.
    support_x, query_x = (
        torch.from_numpy(x.reshape(*x.shape[:2], 1, 28, 28)) for x in arrays
    )
    labels = problem.support_y, problem.query_y
    support_y, query_y = map(torch.from_numpy, labels)
    return support_x, support_y, query_x, query_y


def theirs(problem: Problem) -> list[torch.Tensor]:
    """Return θ as tensors in PyTorch's layout, in the order of the chain.

    Kernels (kh, kw, in, out) become (out, in, kh, kw); the head's (in, out) becomes
    (out, in), its columns in the order C, H, W in place of H, W, C.
    """
    named = layout(problem.ways).unpack(problem.theta)
    moved = {name: move(name, a) for name, a in named.items()}
    return [torch.from_numpy(np.ascontiguousarray(a)) for a in moved.values()]


def move(name: str, a):
    """Return a parameter in PyTorch's layout."""
    if name == "head.kernel":
        return a.reshape(*FEATURES, -1).transpose(3, 2, 0, 1).reshape(a.shape[1], -1)
    return a.transpose(3, 2, 0, 1) if name.endswith("kernel") else a


def ours(ways: int, tensors) -> np.ndarray:
    """Return tensors (..., *shape) as arrays (..., P) in the layout of imaml_ref."""
    arrays = [t.detach().numpy() for t in tensors]
    known = layout(ways)
    pairs = zip(known.names, known.shapes, arrays, strict=True)
    return known.pack({n: move_back(n, shape, a) for n, shape, a in pairs})


def move_back(name: str, shape, a):
    """Undo ``move`` on an array with any axes in front."""
    if not name.endswith("kernel"):
        return a
    lead = a.shape[: a.ndim - len(shape)]
    if name == "head.kernel":
        height, width, channels = FEATURES
        a = a.reshape(*lead, -1, channels, height, width)
    return np.moveaxis(a, (-4, -3), (-1, -2)).reshape(*lead, *shape)


def flat(tensors, lead=0) -> torch.Tensor:
    """Return tensors as rows (..., P), the first ``lead`` axes kept."""
    return torch.cat([t.flatten(lead) for t in tensors], -1)


def split(rows, shapes) -> list[torch.Tensor]:
    """Undo ``flat``: rows (..., P) as tensors (..., *shape)."""
    parts = rows.split([shape.numel() for shape in shapes], -1)
    pairs = zip(parts, shapes, strict=True)
    return [part.reshape(*rows.shape[:-1], *shape) for part, shape in pairs]


def shapes_of(tensors) -> list[torch.Size]:
    """Return the shapes of tensors."""
    return [t.shape for t in tensors]


def mean(grads, count: int) -> list[torch.Tensor]:
    """Return the mean of lists of tensors, which are dropped one by one."""
    total = list(next(grads))
    for g in grads:
        torch._foreach_add_(total, list(g))
    return [t / count for t in total]


def task_by_task(problem: Problem, task_grad) -> Contender:
    """Return the contender that computes one task after the other.

    Args:
        problem: What to solve.
        task_grad: (support x, support y, query x, query y) ↦ g as tensors.
    """

    def each():
        return (task_grad(*task) for task in zip(*data(problem), strict=True))

    return Contender(
        lambda: mean(each(), len(problem)),
        lambda: [torch.stack(parts) for parts in zip(*each(), strict=True)],
        lambda found: ours(problem.ways, found),
    )


def layout(ways: int):
    """Return where each parameter lies with imaml_ref."""
    return ir.architectures.omniglot_cnn(ways).layout
