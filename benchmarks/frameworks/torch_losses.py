"""PyTorch's losses, and penalties of a parameter that is exactly zero."""

import torch
import torch.nn.functional as F

from .cases import Case


def labels(n):
    return torch.arange(4) % n


def logits(n):
    return ((4, n),)


def pair(n):
    return ((4, n), (4, n))


def log_softmax(z):
    return z - z.exp().sum(-1, keepdim=True).log()


def soft(n):
    weights = 1 + torch.arange(4.0 * n).double().reshape(4, n) % 3
    return weights / weights.sum(-1, keepdim=True)


def signs(z):
    return 1.0 - 2.0 * (torch.arange(z.numel()) % 2).reshape(z.shape)


def learned(z, t):
    return F.cross_entropy(z, t.softmax(-1))


def learned_by_hand(z, t):
    return -(log_softmax(t).exp() * log_softmax(z)).sum(-1).mean()


def against(loss, **options):
    """Return a loss whose targets are learned as well: t in (0, 1) from its logits."""
    return lambda z, t: loss(z, t.sigmoid(), **options)


def ctc(z):
    lengths = torch.tensor([4]), torch.tensor([2])
    return F.ctc_loss(z[:, None].log_softmax(-1), torch.tensor([[1, 2]]), *lengths)


def loss(name, shapes, function, control=None, draw="normal"):
    return Case(name, shapes, function, control, is_loss=True, draw=draw)


def weighted(z):
    weight = 1 + torch.arange(z.shape[1]).double()
    return F.cross_entropy(z, labels(z.shape[1]), weight=weight)


def smoothed(z):
    return F.cross_entropy(z, labels(z.shape[1]), label_smoothing=0.1)


def ignoring(z):
    return F.cross_entropy(z, labels(z.shape[1]), ignore_index=0)


CLASSES = (
    loss("cross_entropy", logits, lambda z: F.cross_entropy(z, labels(z.shape[1]))),
    loss("cross_entropy, weights", logits, weighted),
    loss("cross_entropy, label_smoothing", logits, smoothed),
    loss("cross_entropy, ignore_index", logits, ignoring),
    loss(
        "cross_entropy, soft targets",
        logits,
        lambda z: F.cross_entropy(z, soft(z.shape[1])),
    ),
    loss("cross_entropy, learned targets", pair, learned, learned_by_hand),
    loss(
        "kl_div, learned targets",
        pair,
        lambda z, t: F.kl_div(z.log_softmax(-1), t.softmax(-1), reduction="batchmean"),
    ),
    loss(
        "kl_div, log_target, learned",
        pair,
        lambda z, t: F.kl_div(z.log_softmax(-1), t.log_softmax(-1), log_target=True),
    ),
    loss(
        "multi_margin",
        logits,
        lambda z: F.multi_margin_loss(z, labels(z.shape[1]), p=2),
    ),
    loss("ctc", lambda n: ((4, n),), ctc),
    loss(
        "binary_cross_entropy, learned targets",
        pair,
        lambda z, t: F.binary_cross_entropy(z.sigmoid(), t.sigmoid()),
    ),
    loss(
        "BCE with logits, learned targets",
        pair,
        against(F.binary_cross_entropy_with_logits),
    ),
    loss("soft_margin", logits, lambda z: F.soft_margin_loss(z, signs(z))),
)
DISTANCES = (
    loss("mse", pair, F.mse_loss),
    loss("smooth_l1", pair, F.smooth_l1_loss),
    loss("huber", pair, lambda z, t: F.huber_loss(z, t, delta=0.7)),
    loss("poisson_nll", pair, F.poisson_nll_loss),
    loss(
        "gaussian_nll",
        lambda n: ((4, n),) * 3,
        lambda z, t, v: F.gaussian_nll_loss(z, t, v.exp()),
    ),
    loss(
        "cosine_embedding",
        pair,
        lambda z, t: F.cosine_embedding_loss(z, t, torch.ones(4)),
    ),
    loss(
        "triplet_margin",
        lambda n: ((4, n),) * 3,
        lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=5.0),
    ),
)


def penalty(name, function):
    """Return a penalty at p = 0, with Σ pᵢ² as control."""
    return loss(f"{name} at p = 0", lambda n: ((n,),), function, by_hand, draw="zero")


def by_hand(p):
    return (p * p).sum()


PENALTIES = (
    penalty("p.norm()**2", lambda p: p.norm() ** 2),
    penalty("linalg.vector_norm(p)**2", lambda p: torch.linalg.vector_norm(p) ** 2),
    penalty("(p**2).sum()", lambda p: (p**2).sum()),
    penalty("p.pow(2.0).sum()", lambda p: p.pow(2.0).sum()),
    penalty("p.abs().square().sum()", lambda p: p.abs().square().sum()),
    penalty(
        "F.mse_loss(p, 0)", lambda p: F.mse_loss(p, 0 * p.detach(), reduction="sum")
    ),
    penalty("torch.dist(p, 0)**2", lambda p: torch.dist(p, torch.zeros_like(p)) ** 2),
    penalty("(p*p).sum().sqrt()**2", lambda p: (p * p).sum().sqrt() ** 2),
)
LOSSES = (*CLASSES, *DISTANCES, *PENALTIES)
