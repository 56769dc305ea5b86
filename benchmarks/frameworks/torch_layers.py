"""PyTorch's layers with weights."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from .cases import Case


def parametrized_weight_norm():
    net = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4, bias=False).double())
    x = torch.sin(torch.arange(6.0).double()).reshape(2, 3)
    names = [name for name, _ in net.named_parameters()]  # g, then v
    return lambda g, v: functional_call(net, dict(zip(names, (g, v), strict=True)), x)


def parametrized_by_hand():
    x = torch.sin(torch.arange(6.0).double()).reshape(2, 3)
    return lambda g, v: x @ (v * (g / (v * v).sum(1, keepdim=True).sqrt())).T


def embedding(**options):
    ids = torch.tensor([0, 2, 1, 2])
    return lambda w: F.embedding(ids, w, **options).sum(0) ** 2


def embedding_padded_by_hand(w):
    return (w[0] + w[1] + 2 * w[2].detach()) ** 2


def embedding_bag(w):
    return F.embedding_bag(torch.tensor([[0, 2], [1, 2]]), w, mode="sum") ** 2


def attention(kernel=None):
    def function(q, k, v):
        if kernel is None:
            return F.scaled_dot_product_attention(q, k, v)
        with sdpa_kernel(kernel):
            return F.scaled_dot_product_attention(q, k, v)

    return function


def attention_by_hand(q, k, v):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    weights = scores.exp()
    return weights / weights.sum(-1, keepdim=True) @ v


def heads(n):
    return ((1, 2, n, 2),) * 3


def recurrent(kind):
    """Return a function that makes a recurrent net of its weights."""

    def make():
        net = kind(2, 2, batch_first=True).double()
        x = torch.sin(torch.arange(12.0).double()).reshape(2, 3, 2)
        names = [name for name, _ in net.named_parameters()]
        return lambda *ws: functional_call(net, dict(zip(names, ws, strict=True)), x)[0]

    return make


def weights_of(kind):
    return lambda n: [tuple(p.shape) for p in kind(2, 2).parameters()]


def encoder():
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(3, 1, 2, dropout=0.0, batch_first=True)


def transformer(training):
    def make():
        net = encoder().double().train(training)
        x = torch.sin(torch.arange(6.0).double()).reshape(1, 2, 3)
        names = [name for name, _ in net.named_parameters()]
        return lambda *ws: functional_call(net, dict(zip(names, ws, strict=True)), x)

    return make


def encoder_weights(n):
    return [tuple(p.shape) for p in encoder().parameters()]


WEIGHTED = (
    Case(
        "weight_norm, parametrization of Linear",
        lambda n: ((4, 1), (4, 3)),
        parametrized_weight_norm,
        parametrized_by_hand,
        make=True,
    ),
    Case("Linear", lambda n: ((2, n), (3, n), (3,)), F.linear),
    Case("Bilinear", lambda n: ((2, n), (2, 3), (2, n, 3)), F.bilinear),
    Case("Conv1d", lambda n: ((1, 2, n), (2, 2, 3), (2,)), F.conv1d),
    Case(
        "Conv2d, padding 1",
        lambda n: ((1, 2, n, 3), (2, 2, 3, 3), (2,)),
        lambda x, w, b: F.conv2d(x, w, b, padding=1),
    ),
    Case(
        "Conv2d, stride 2",
        lambda n: ((1, 1, n, 3), (2, 1, 3, 3), (2,)),
        lambda x, w, b: F.conv2d(x, w, b, stride=2),
    ),
    Case(
        "ConvTranspose2d",
        lambda n: ((1, 2, n, 2), (2, 1, 2, 2), (1,)),
        F.conv_transpose2d,
    ),
    Case("Embedding", lambda n: ((n, 3),), embedding()),
    Case(
        "Embedding, padding_idx",
        lambda n: ((n, 3),),
        embedding(padding_idx=2),
        embedding_padded_by_hand,
        held=lambda n: (6, 9),
    ),
    Case("EmbeddingBag", lambda n: ((n, 3),), embedding_bag),
    Case("attention, default", heads, attention(), attention_by_hand),
    Case(
        "attention, math",
        heads,
        attention(SDPBackend.MATH),
        attention_by_hand,
    ),
    Case(
        "TransformerEncoderLayer, eval", encoder_weights, transformer(False), make=True
    ),
    Case(
        "TransformerEncoderLayer, train", encoder_weights, transformer(True), make=True
    ),
    *(
        Case(kind.__name__, weights_of(kind), recurrent(kind), make=True)
        for kind in (nn.RNN, nn.LSTM, nn.GRU)
    ),
)
