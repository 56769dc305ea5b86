"""PyTorch's normalisations, each with itself in elementary operations."""

import torch
import torch.nn.functional as F

from .cases import Case

EPS = 1e-5


def standard(x, axes):
    """Return (x − mean) / √(variance + ε) over axes."""
    centred = x - x.mean(axes, keepdim=True)
    return centred / (centred * centred).mean(axes, keepdim=True).add(EPS).sqrt()


def per_channel(p, x):
    """Return a parameter of each channel, axis 1, shaped to meet x."""
    return p.reshape(1, -1, *[1] * (x.dim() - 2))


def affine(x, gamma, beta, axes):
    return standard(x, axes) * per_channel(gamma, x) + per_channel(beta, x)


def images(n):
    return (3, 2, n, 2), (2,), (2,)


def rows(n):
    return (4, n), (n,), (n,)


def group_norm_by_hand(x, gamma, beta):
    grouped = standard(x.reshape(3, 2, 2, -1), (2, 3)).reshape(x.shape)
    return grouped * per_channel(gamma, x) + per_channel(beta, x)


def rms_by_hand(x, gamma):
    return x / ((x * x).mean(-1, keepdim=True) + EPS).sqrt() * gamma


def batch_norm(x, gamma, beta):
    return F.batch_norm(x, None, None, gamma, beta, training=True)


def batch_norm_eval(x, gamma, beta):
    mean, variance = torch.tensor([0.3, -0.2]), torch.tensor([0.8, 1.7])
    return F.batch_norm(x, mean.double(), variance.double(), gamma, beta)


def alone(function, axes):
    """Return a norm and its control with constant γ and β."""
    gamma, beta = torch.tensor([1.3, 0.6]).double(), torch.tensor([0.2, -0.4]).double()
    return lambda x: function(x, gamma, beta), lambda x: affine(x, gamma, beta, axes)


def layer_norm_alone(x):
    return F.layer_norm(x, x.shape[-1:])


NORMS = (
    Case(
        "LayerNorm",
        rows,
        lambda x, g, b: F.layer_norm(x, x.shape[-1:], g, b),
        lambda x, g, b: standard(x, -1) * g + b,
    ),
    Case(
        "LayerNorm, γ β constant",
        lambda n: ((4, n),),
        layer_norm_alone,
        lambda x: standard(x, -1),
    ),
    Case(
        "InstanceNorm",
        images,
        lambda x, g, b: F.instance_norm(x, weight=g, bias=b),
        lambda x, g, b: affine(x, g, b, (2, 3)),
    ),
    Case(
        "BatchNorm, batch statistics",
        images,
        batch_norm,
        lambda x, g, b: affine(x, g, b, (0, 2, 3)),
    ),
    Case(
        "BatchNorm, batch statistics, γ β constant",
        lambda n: images(n)[:1],
        *alone(batch_norm, (0, 2, 3)),
    ),
    Case("BatchNorm, running statistics", images, batch_norm_eval),
    Case(
        "GroupNorm",
        lambda n: ((3, 4, n), (4,), (4,)),
        lambda x, g, b: F.group_norm(x, 2, g, b, EPS),
        group_norm_by_hand,
    ),
    Case(
        "RMSNorm",
        lambda n: rows(n)[:2],
        lambda x, g: F.rms_norm(x, x.shape[-1:], g, EPS),
        rms_by_hand,
    ),
    Case(
        "LocalResponseNorm",
        lambda n: ((2, n, 3),),
        lambda x: F.local_response_norm(x, 3, alpha=0.5),
    ),
    Case(
        "weight_norm",
        lambda n: ((n, 3), (n, 1), (2, 3)),
        lambda v, g, x: x @ torch._weight_norm(v, g, 0).T,
        lambda v, g, x: x @ (v * (g / (v * v).sum(1, keepdim=True).sqrt())).T,
    ),
)
