"""PyTorch's layers without parameters: activations, pools, reductions."""

import torch
import torch.nn.functional as F

from .cases import Case


def matrix(n):
    return ((3, n),)


def image(n):
    return ((1, 2, n + 1, 4),)


ELEMENTWISE = (
    *("relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
    *("hardtanh", "hardswish", "hardsigmoid", "relu6", "logsigmoid", "softsign"),
    *("tanhshrink", "softshrink", "hardshrink", "tanh", "sigmoid"),
)
ACTIVATIONS = (
    *(
        Case(name, matrix, getattr(F, name, None) or getattr(torch, name))
        for name in ELEMENTWISE
    ),
    Case("gelu, tanh", matrix, lambda x: F.gelu(x, approximate="tanh")),
    Case("PReLU", lambda n: ((3, n), (n,)), F.prelu),
    Case("GLU", lambda n: ((3, 2 * n),), F.glu),
    Case("RReLU, eval", matrix, F.rrelu),
    Case("softmax", matrix, lambda x: F.softmax(x, -1)),
    Case("log_softmax", matrix, lambda x: F.log_softmax(x, -1)),
    Case("softmin", matrix, lambda x: F.softmin(x, -1)),
)
POOLS = (
    Case("MaxPool1d", lambda n: ((1, 2, 2 * n),), lambda x: F.max_pool1d(x, 2)),
    Case("MaxPool2d", image, lambda x: F.max_pool2d(x, 2)),
    Case("MaxPool2d, overlapping", image, lambda x: F.max_pool2d(x, 3, 1)),
    Case("AdaptiveMaxPool2d", image, lambda x: F.adaptive_max_pool2d(x, 2)),
    Case("AvgPool2d", image, lambda x: F.avg_pool2d(x, 2)),
    Case("AdaptiveAvgPool2d", image, lambda x: F.adaptive_avg_pool2d(x, 2)),
    Case("LPPool2d", image, lambda x: F.lp_pool2d(x, 3, 2), draw="positive"),
    Case(
        "interpolate, bilinear",
        image,
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear") ** 2,
    ),
    Case(
        "interpolate, bicubic",
        image,
        lambda x: F.interpolate(x, scale_factor=2, mode="bicubic") ** 2,
    ),
    Case("unfold", image, lambda x: F.unfold(x, 2) ** 2),
    Case(
        "grid_sample",
        lambda n: ((1, 1, n, 3), (1, 2, 2, 2)),
        lambda x, g: F.grid_sample(x, 0.9 * g.tanh(), align_corners=False),
    ),
)


def scatter_prod(x):
    ids = torch.tensor([0, 1, 0, 1])
    out = torch.ones(2, dtype=x.dtype)
    return out.scatter_reduce(0, ids, x, "prod")


def scatter_by_hand(x):
    return torch.stack([x[0] * x[2], x[1] * x[3]])


REDUCTIONS = (
    Case("logsumexp", matrix, lambda x: torch.logsumexp(x, -1)),
    Case(
        "logcumsumexp",
        matrix,
        lambda x: torch.logcumsumexp(x, -1),
        lambda x: x.exp().cumsum(-1).log(),
    ),
    Case("prod", matrix, lambda x: x.prod(-1)),
    Case("cumprod", matrix, lambda x: x.cumprod(-1)),
    Case("std", matrix, lambda x: x.std(-1)),
    Case("var", matrix, lambda x: x.var(-1)),
    Case("amax", matrix, lambda x: x.amax(-1) ** 2),
    Case("sort", matrix, lambda x: x.sort(-1).values ** 2),
    Case("median", matrix, lambda x: x.median(-1).values ** 2),
    Case("normalize", matrix, lambda x: F.normalize(x, dim=-1)),
    Case("cosine_similarity", lambda n: ((3, n), (3, n)), F.cosine_similarity),
    Case("cdist", lambda n: ((3, n), (2, n)), torch.cdist),
    Case("pdist", matrix, F.pdist),
    Case("pairwise_distance", lambda n: ((3, n), (3, n)), F.pairwise_distance),
    Case("renorm", matrix, lambda x: x.renorm(2, 0, 0.5)),
    Case("scatter_reduce, prod", lambda n: ((4,),), scatter_prod, scatter_by_hand),
    Case(
        "index_reduce, prod",
        lambda n: ((4,),),
        lambda x: torch.ones(2, dtype=x.dtype).index_reduce(
            0, torch.tensor([0, 1, 0, 1]), x, "prod"
        ),
        scatter_by_hand,
    ),
    Case(
        "einsum",
        lambda n: ((2, n), (n, 3)),
        lambda a, b: torch.einsum("ij,jk->ik", a, b),
    ),
)
MORE = (*ACTIVATIONS, *POOLS, *REDUCTIONS)
